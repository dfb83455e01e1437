"""The balance of a client's points, written to a field of their card at YCLIENTS, so that staff see it in the journal."""
