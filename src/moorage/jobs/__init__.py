"""Background work: the queue's runner, its periodic jobs and what they do; the sandbox; fsck."""
