"""What admins do with people: list, enter, merge."""
