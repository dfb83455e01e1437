"""Points that the staff give and take by hand."""
