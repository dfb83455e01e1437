"""YCLIENTS's cards of people: one a company and client id. Bookings name their card; contacts to match by stand on it.

`rules` says what a sight of a card changes, `store` keeps it. Imports none of its siblings.
"""
