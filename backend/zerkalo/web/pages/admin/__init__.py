"""`/admin…`: the salon's desk. Its pages are for staff; nothing here is imported by other pages."""
