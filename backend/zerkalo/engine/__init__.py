"""The engine of background work: bells, the jobs they announce, and one registry of every periodic task. Imports the use cases."""
