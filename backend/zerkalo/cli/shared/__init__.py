"""What several commands use and none is: how they end, what they wait for, in which language they speak."""
