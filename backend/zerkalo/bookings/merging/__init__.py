"""What a snapshot that counts makes of a row."""
