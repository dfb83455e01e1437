"""The owner's figures of a period beside the one before: money, visits, people, load, points.

`rules` has the periods (pure), `sums` what is added up before anybody asks, `store` the questions to it and to the ledger,
`service` puts a report together.
"""
