"""Background work on procrastinate: bells, the jobs that they trigger, and one registry of all periodic tasks."""
