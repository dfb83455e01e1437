"""Hashing passwords, and queueing for the processor that it takes."""
