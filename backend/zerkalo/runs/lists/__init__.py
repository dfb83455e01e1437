"""Reading one list of records that shifts while it is read."""
