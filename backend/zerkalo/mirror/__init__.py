"""The one write path: what was told and what was read becomes rows. Imports the subjects, never a door."""
