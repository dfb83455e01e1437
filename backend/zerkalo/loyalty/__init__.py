"""The ledger: points that bookings earn, that admins redeem, that expire.

`rules` turns a booking's state and its ledger into entries; `service` reads and appends them inside the caller's
transaction. `by_hand` is what the staff give and take, `till` what they undo, `programme` since when visits earn. Knows no vendor.
"""
