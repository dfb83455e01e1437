"""The branches of the salon: one row each."""
