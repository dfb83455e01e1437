"""The emulator over HTTP: YCLIENTS's own paths behind one gate, and the control API for tests."""
