"""The one write path: calls, reads and replays become rows. Imports the subjects, never the doors above it."""
