"""Checkpoints and the people who decide them: views, votes, edits, time."""
