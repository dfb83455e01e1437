"""One request, one booking, whoever else has sent it too."""
