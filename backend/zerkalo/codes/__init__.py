"""Unique codes: eight characters that identify a user in a booking's comment.

`rules` makes them; `store` and `service` give them to users who have none. Imports none of its siblings.
"""
