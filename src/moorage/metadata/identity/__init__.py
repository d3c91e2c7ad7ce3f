"""Principals and what hangs on them: users, groups, roles, policies, credentials, providers, organizations."""
