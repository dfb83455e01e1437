"""The owner's figures of a period beside the one before: money, visits, people, load, points. Reads only.

`rules` has the periods (pure), `store` the questions, `service` puts a report together, `words` says what each figure is.
"""
