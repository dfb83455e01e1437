"""Why something went wrong, in the language of whoever looks."""
