"""Kept calls applied once more."""
