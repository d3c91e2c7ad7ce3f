"""What was used how often: activity of principals, requests by rate."""
