"""The AWS APIs, driven by botocore's service models."""
