"""`/admin/bookings`: the journal for staff. `asked`: the query in an address; `rules`: how bookings are laid out."""
