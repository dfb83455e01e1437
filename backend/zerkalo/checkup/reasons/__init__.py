"""Reasons of failures, in the reader's language."""
