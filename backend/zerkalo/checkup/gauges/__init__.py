"""The gauges of `/metrics` read from the tables: the same in every process, and cheap to read."""
