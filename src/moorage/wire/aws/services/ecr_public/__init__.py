"""Amazon ECR Public (SpencerFrontendService)."""
