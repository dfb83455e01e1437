"""The door that YCLIENTS calls, the group commit, and the replay of what is in quarantine. Imports the mirror."""
