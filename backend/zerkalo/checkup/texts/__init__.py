"""The words of a check-up, in two languages."""
