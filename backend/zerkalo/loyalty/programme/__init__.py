"""When the programme starts, and what the visits before that were given."""
