"""Real processes killed, stopped and cut off under load: `make chaos`, or `python -m tests.chaos` from backend/.

A PostgreSQL of its own, two servers, two workers and the emulator behind a wire that can be cut; a keeper that starts
again what has died, as systemd would. Nothing else mends anything: what comes back, comes back by itself.
"""
