"""The mirror's rows: what a booking is, how a snapshot changes it, how it is stored and read.

`rules` decides whether a snapshot changes a row, `merging` computes the new row, `store` writes it, `reading` reads it for people.
May be imported by every layer above; imports none of its siblings.
"""
