"""How much of the rate limit a run may take."""
