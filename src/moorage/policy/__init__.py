"""The IAM policy language: documents, conditions, decisions and their explanation. Pure: texts and facts in, verdicts out."""
