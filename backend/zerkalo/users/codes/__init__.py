"""Codes that are no user's `unique_code` any more: never given again."""
