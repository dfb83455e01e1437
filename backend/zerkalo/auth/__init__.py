"""Who is asking: passwords, sessions and their tokens, and how often somebody may try.

Below the domains: reads the credentials in `users` with SQL of its own, and knows nothing of contacts and codes.
"""
