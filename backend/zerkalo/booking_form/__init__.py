"""Booking, moving and cancelling through YCLIENTS's online booking, what it offers, and its webhook settings.

The API's routes and the pages use the same functions. The mirror beside it is called only by the port `mirror_now`.
"""
