"""The machine that Zerkalo runs on: its PostgreSQL, clocks, disk, files, and the connection to YCLIENTS.

`service` examines it through a `World` that tests replace; `rules` finds the problems (pure). Part of the check-up.
"""
