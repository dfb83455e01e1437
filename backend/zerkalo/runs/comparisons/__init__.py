"""The comparison with YCLIENTS that is asked for on the desk, as far as it has come."""
