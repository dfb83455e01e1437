"""`/me…`: what is one's own: visits, points, contacts, data."""
