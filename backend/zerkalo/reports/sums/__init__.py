"""What reports add up, by day and month: counted anew where a booking changed, by a periodic task and before a report is read.

Nobody who writes a booking does anything for it. `store` compares and counts, `service` says how much at a time.
"""
