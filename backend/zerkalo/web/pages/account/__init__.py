"""Signing in, up and out, and a new password."""
