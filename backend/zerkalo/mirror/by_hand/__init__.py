"""What an admin says of whose a booking or a card is. No later snapshot changes that."""
