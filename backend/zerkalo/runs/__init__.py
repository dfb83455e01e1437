"""The periodic sync. Imports the mirror.

`service` opens runs; `reconciling` carries one out by reading `lists` of records, under a `lease` and within the
`capacity`; `drift` compares and writes nothing.
"""
