"""The salon's own colour, as a style sheet behind ours. Imports nothing; the pages' `site` serves it."""
