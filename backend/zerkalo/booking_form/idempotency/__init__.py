"""Idempotency keys: one booking a request, however often it is sent."""
