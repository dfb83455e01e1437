"""The owner's figures of a period and of the one before: money, visits, people, load, points.

`rules` has the periods (pure), `sums` the precomputed sums, `store` the queries over them and the ledger; `service`
assembles a report.
"""
