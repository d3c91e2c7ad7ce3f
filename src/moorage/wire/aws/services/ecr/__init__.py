"""Amazon ECR (AmazonEC2ContainerRegistry_V20150921)."""
