"""The salon's own colour, as a style sheet after ours. Imports nothing; the pages' `site` serves it."""
