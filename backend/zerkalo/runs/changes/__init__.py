"""What has changed at a company, read because many unsigned calls want it."""
