"""Every call to our webhook, byte for byte, with its outcome: write, quarantine, read back, prune."""
