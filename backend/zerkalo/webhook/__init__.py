"""The door that YCLIENTS calls: routes, intake, group commit, replay of the quarantined. Imports the mirror."""
