"""What YCLIENTS's online booking offers, and booking, moving and cancelling through it; also its webhook settings.

The API's routes and the pages use the same functions. Of the mirror, its sibling, it knows only the port `mirror_now`.
"""
