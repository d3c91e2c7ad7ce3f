"""The AWS services: a parsed dict in, a use case, a dict out."""
