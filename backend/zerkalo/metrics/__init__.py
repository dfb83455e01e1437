"""Metrics of a process for Prometheus: plain counters that any package may increment, and their exposition.

`model` has the types, `counts` every counter of the process, `exposition` their form for Prometheus, `sharing` the
sum over several server processes on one port. Labels come from fixed sets.
"""
