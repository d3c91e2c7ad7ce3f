"""The IAM service through boto3, on both stacks."""
