"""The job queue: rows that are enqueued, claimed under a lease, ended; and the schedule of periodic ones."""
