"""A user's right to see what is held about them, and to have it erased."""
