"""Zerkalo keeps a salon's YCLIENTS appointments in the salon's own PostgreSQL, live, and builds on them.

`main.py`, `worker.py` and `cli/` put the parts together; each other folder is one subject. Imports point
down, as the contracts in `pyproject.toml` say.
"""
