"""Exports: records that leave the log, with what proves that they are from it."""
