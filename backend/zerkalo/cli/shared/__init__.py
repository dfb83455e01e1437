"""Helpers of several commands: their failures, database, event loop, language and progress."""
