"""Single reads that wait: asking YCLIENTS for one record again."""
