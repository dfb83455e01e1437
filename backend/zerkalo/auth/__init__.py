"""Who is asking: passwords, sessions and their tokens, and how often somebody may try.

Below the domains: reads the credentials in `users`, which `users` writes, and knows nothing of contacts and codes.
"""
