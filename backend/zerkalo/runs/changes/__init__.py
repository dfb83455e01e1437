"""Reading a company's changes at the request of many unsigned calls."""
