"""A comparison with YCLIENTS that writes nothing."""
