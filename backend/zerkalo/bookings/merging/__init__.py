"""Merge an accepted snapshot into a row."""
