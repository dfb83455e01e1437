"""Whose booking is it: `rules` decides from values, `store` remembers candidates. Imports none of its siblings."""
