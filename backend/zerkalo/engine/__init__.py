"""The engine of background work: bells, jobs and every periodic task. Imports the use cases."""
