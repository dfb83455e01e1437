"""The machine under Zerkalo: its PostgreSQL, clocks, disk, files, and the way to YCLIENTS.

`service` looks, through a `World` that a test replaces; `rules` says what is wrong (pure). Part of the check-up.
"""
