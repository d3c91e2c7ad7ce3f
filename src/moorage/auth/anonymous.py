"""What is particular about public registries: everybody may pull, and actions there are those of ``ecr-public``.

Use cases name the actions of ``ecr`` whatever registry they are about. Reading images is open and has no action in
``ecr-public``; every other one is decided as usual, under the name that it has there. Source: service authorization reference,
"Amazon Elastic Container Registry Public".
"""

from __future__ import annotations

from moorage.model.principal import Caller

OPEN = frozenset(("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"))
"""What needs no permission in a public registry, whoever asks."""

LOGIN_NEEDED = "authentication required"


class _PublicActions(dict[str, str]):
    """Names of ``ecr-public`` by those of ``ecr``, put together once each."""

    def __missing__(self, action: str) -> str:
        service, _, name = action.partition(":")
        return self.setdefault(action, f"ecr-public:{name}" if service == "ecr" else action)


PUBLIC_ACTION = _PublicActions()


def anonymous(source_ip: str, user_agent: str, *, is_secure: bool) -> Caller:
    """Who pulls without a login."""
    return Caller("", "", "", "", source_ip, user_agent, is_secure=is_secure)
