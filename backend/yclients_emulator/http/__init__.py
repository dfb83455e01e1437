"""The emulator over HTTP: YCLIENTS's own addresses behind one gate, and those by which tests steer it."""
