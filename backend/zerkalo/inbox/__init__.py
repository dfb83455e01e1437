"""Every call to our webhook, byte for byte, with what it did: put, quarantine, read back, prune."""
