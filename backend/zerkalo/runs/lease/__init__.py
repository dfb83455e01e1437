"""One run a company, on however many machines."""
