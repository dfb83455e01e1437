"""Users as matching looks them up: by code, by proved contact, in sets."""
