"""What the staff do with accounts: list, create, correct, merge."""
