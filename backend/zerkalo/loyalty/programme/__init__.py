"""The programme's start, and the points of visits before it."""
