"""Unique codes: eight characters by which a comment names its client.

`rules` makes them, `store` and `service` give them to users who have none. Imports none of its siblings.
"""
