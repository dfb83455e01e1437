"""Messages to clients about their visits and points, and alerts to the salon: decided from what stands in the tables."""
