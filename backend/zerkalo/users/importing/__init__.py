"""People from a CSV file."""
