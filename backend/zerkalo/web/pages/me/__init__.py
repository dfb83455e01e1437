"""`/me…`: the user's visits, points, contacts and data."""
