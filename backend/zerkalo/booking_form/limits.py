"""How often the form may be used: SMS cost the salon money and people their peace, bookings take its time."""

from datetime import timedelta

from zerkalo.auth.model import Limit

BOOKINGS_OF_ADDRESS = Limit("form booking address", 30, timedelta(hours=1))
BOOKINGS_OF_PHONE = Limit("form booking phone", 15, timedelta(hours=1))
CODES_OF_PHONE = Limit("form code phone", 1, timedelta(minutes=1))
CODES_OF_PHONE_A_DAY = Limit("form code phone a day", 8, timedelta(days=1))
CODES_OF_ADDRESS = Limit("form code address", 20, timedelta(hours=1))
CODES_OF_COMPANY = Limit("form code company", 200, timedelta(hours=1))
