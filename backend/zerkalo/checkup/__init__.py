"""The health check and its remedies, shared by `zerkalo check` and the admin page.

`store` reads the facts, `rules` finds the problems (pure), `texts` and `reasons` have the texts in Russian and English.
"""
