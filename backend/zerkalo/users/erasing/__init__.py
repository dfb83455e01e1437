"""Erasing everything that is held about a person."""
