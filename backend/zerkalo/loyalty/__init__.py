"""The ledger: points that bookings earn, that admins redeem, that expire.

`rules` turns a booking's state and its ledger into entries; `service` reads and appends them inside the caller's
transaction. Only layers above (sync, web, the roots) may import this folder; it knows no vendor.
"""
