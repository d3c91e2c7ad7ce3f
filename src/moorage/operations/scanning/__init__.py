"""Image scanning: configuration, scans, findings."""
