"""The async shell for bytes: requests to stored objects and back."""
