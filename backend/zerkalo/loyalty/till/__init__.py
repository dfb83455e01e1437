"""Points spent at the till: bound to a visit, and undone within some minutes."""
