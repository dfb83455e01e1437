"""The HTTP layer: the form of errors, where routers are mounted, the pages."""
