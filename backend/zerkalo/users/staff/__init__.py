"""The salon's staff: who has which role, invitations by a one-time link, and what they did."""
