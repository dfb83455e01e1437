"""Hashes of passwords: how they are made and compared, and who waits while the processor is at it."""
