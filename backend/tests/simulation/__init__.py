"""The simulation: the production code on a real PostgreSQL against the emulator, everything random from one seed.

`loop` is a world in which time passes only when nobody has anything to do; `database` lets one transaction in at a time
and breaks where the seed says; `process` is Zerkalo put together as in production; `salon`, `people` and `trouble` are what
happens; `world` plays it and heals; `verdict`, `links` and `ledger` say what must hold then, from the emulator's truth.
"""
