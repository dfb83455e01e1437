"""The report of an import in words, in two languages."""
