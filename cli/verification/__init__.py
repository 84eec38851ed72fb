"""Checking the audit log: a live one, an export, a folder of tiles. No service is believed.

Only `live` speaks to services; the rest needs neither network nor database.
"""
