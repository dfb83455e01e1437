"""Authentication: passwords, sessions and their tokens, roles, and limits on tries.

Below the subjects: reads the credentials in `users`, which `users` writes, and knows nothing of contacts and codes.
"""
