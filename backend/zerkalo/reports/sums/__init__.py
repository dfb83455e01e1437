"""Sums by day and month for reports, recounted where a booking changed: by a periodic task and before a report is read.

Code that writes bookings need not update them. `store` compares and counts; `service` decides how much at a time.
"""
