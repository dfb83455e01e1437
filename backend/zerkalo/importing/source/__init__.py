"""The mapping file and the source that it names, read line by line."""
