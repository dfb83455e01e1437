"""The ledger: points that bookings earn, that admins redeem, that expire.

`rules` turns a booking's state and its ledger into entries; `service` reads and appends them inside the caller's
transaction. `by_hand` has the staff's movements, `till` undoes them, `programme` has the programme's start. Independent of the vendor.
"""
