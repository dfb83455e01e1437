"""What a page says after a form was sent: what went well, and what was refused."""
