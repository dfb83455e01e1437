"""What can be booked: branches, services, masters, days and times, as YCLIENTS offers them."""
