"""Accounts of this installation, and the organizations that they form."""
