"""The log of what staff did. It is never pruned."""
