"""The journal of erasures: a file of ids beside the data and each backup."""
