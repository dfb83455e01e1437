"""`/admin/bookings`: the journal as staff look at it. `asked`: what an address asks for; `rules`: how bookings are laid out."""
