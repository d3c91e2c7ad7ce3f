"""How large a policy may be. Units are characters; most limits do not count white space. Source: "IAM and AWS STS quotas"."""

from __future__ import annotations

import re

from moorage.policy.document import Kind

MAX_TEXT = 131_072
"""Of any policy text that the API takes, white space included."""
MANAGED = 6_144
INLINE_OF_USER, INLINE_OF_GROUP, INLINE_OF_ROLE = 2_048, 5_120, 10_240
"""All policies together that are embedded in one user, group or role."""

_LIMITS = {
    Kind.IDENTITY: MANAGED,
    Kind.BOUNDARY: MANAGED,
    Kind.SESSION: 2_048,
    Kind.TRUST: 2_048,
    Kind.REPOSITORY: 10_240,
    Kind.REGISTRY: 10_240,
    Kind.PUBLIC_REPOSITORY: 10_240,
    Kind.SERVICE_CONTROL: 5_120,
    Kind.RESOURCE_CONTROL: 5_120,
}
_WITHOUT_SPACE = frozenset((Kind.IDENTITY, Kind.BOUNDARY, Kind.TRUST))
_SPACE = re.compile(r"[ \t\r\n]+")


def counted_size(text: str, kind: Kind) -> int:
    """The characters of a policy that count against its limit: white space only where the quota counts it."""
    return len(_SPACE.sub("", text)) if kind in _WITHOUT_SPACE else len(text)


def size_limit(kind: Kind) -> int:
    """The limit that `counted_size` is held against, for one document. Embedded ones have one in common: see above."""
    return _LIMITS[kind]
