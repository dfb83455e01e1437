"""The web's edge: how errors look, which routers are mounted where, the pages."""
