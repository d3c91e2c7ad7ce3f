"""STS: temporary credentials for users, roles, federated users and web identities."""
