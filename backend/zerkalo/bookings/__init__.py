"""The mirror's rows: what a booking is, how a snapshot changes it, how it is stored and read.

`rules` says what a snapshot does to a row, `merging` what the row is afterwards, `store` writes it, `reading` shows it to people.
May be imported by every layer above; imports none of its siblings.
"""
