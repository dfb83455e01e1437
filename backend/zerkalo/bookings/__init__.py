"""The mirror's rows: what a booking is, how a snapshot changes it, how it is stored and read.

`model` and `rules` are values and pure functions; `store` is SQL. Imported by `sync`, `booking_form`, `web` and the
roots; imports nothing of its siblings (loyalty, users, matching, codes).
"""
