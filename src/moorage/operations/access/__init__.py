"""Who may do what, and why: questions about stored state, put to the same engine that decides live calls.

These use cases authorise nobody: they are for operators at the command line, who can read the database anyway.
"""
