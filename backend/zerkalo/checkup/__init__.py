"""Is all well, and what to do if not: one judgement for `zerkalo check` and the admin page.

`store` reads the facts, `rules` judges them (pure), `texts` and `reasons` say it in Russian or English.
"""
