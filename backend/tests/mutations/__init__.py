"""A check of the tests themselves: deliberate wrongs that they must notice. `make mutations`.

Each wrong is made in a copy of the project, never in the project, and the tests that ought to notice it are run there.
"""
