"""The webhook that YCLIENTS calls, the group commit, and the replay of quarantined deliveries. Imports the mirror."""
