"""What a process counts of its own work, for Prometheus: plain counters that anybody may raise, and how they are told.

`model` has the kinds, `counts` every counter of the process, `exposition` their form for Prometheus, `sharing` what
several server processes on one port do so that each of them tells the sum. Labels come from fixed sets.
"""
