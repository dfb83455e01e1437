"""Render YCLIENTS's JSON."""
