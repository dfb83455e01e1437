"""Apply stored deliveries again."""
