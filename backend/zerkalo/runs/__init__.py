"""The periodic sync. Imports the mirror.

`service` opens runs, `reconciling` carries one to its end by `lists` of records, under a `lease` and within the `capacity`;
`drift` compares and writes nothing.
"""
