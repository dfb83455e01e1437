"""What staff did, to whom or what, kept for as long as the installation is."""
