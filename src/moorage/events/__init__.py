"""What was done: the record of each finished request, and what is counted from it until it is written."""
