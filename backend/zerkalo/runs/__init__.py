"""The periodic sync: what is read when, the run and its lease, drift. Imports the mirror."""
