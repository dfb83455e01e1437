"""A user's calendar: a feed of their visits, opened by a secret address."""
