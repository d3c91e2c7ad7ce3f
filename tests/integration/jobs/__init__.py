"""The job queue, on both databases."""
