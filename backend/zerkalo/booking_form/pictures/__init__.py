"""Pictures of specialists: which of them may be shown."""
