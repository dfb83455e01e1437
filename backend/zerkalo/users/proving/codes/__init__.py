"""Codes that are sent: made, written, compared and used up."""
