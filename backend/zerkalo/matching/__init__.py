"""Decide whose a booking is: `rules` decides from values, `store` keeps candidates. Imports none of its siblings."""
