"""Records to ask YCLIENTS for, one row each."""
