"""Everything that is held about a person, for the person."""
