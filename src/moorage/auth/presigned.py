"""Short-lived links to one blob, for ``GetDownloadUrlForLayer``: whoever holds the link may fetch that blob and nothing else.

The link is bound by HMAC-SHA256 to the path, the repository, the digest, the account and the expiry; the key is the caller's.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from moorage.model.errors import NotAuthenticated

_CONTEXT = b"moorage blob link 1"
_QUERY = re.compile(r"expires=([1-9][0-9]{0,15})&account=([0-9]{12})&signature=([A-Za-z0-9_-]{43})")


class LinkRefused(NotAuthenticated):
    """The link was not made by this server for this blob, was altered, or is over: one error, nothing to learn from it."""


@dataclass(frozen=True, slots=True)
class BlobLink:
    """What a link gives access to. `expires_at` is in whole seconds since the epoch; `repository_id` is the server's own id."""

    path: str
    repository_id: str
    digest: str
    account_id: str
    expires_at: int


def make_query(key: bytes, link: BlobLink) -> str:
    """The query string, without question mark, that opens `link`; `key` has at least 32 random bytes."""
    return f"expires={link.expires_at}&account={link.account_id}&signature={_sign(key, link)}"


def check_query(key: bytes, query: str, *, path: str, repository_id: str, digest: str, now: float) -> BlobLink:
    """Return the link that `query` opens for this path, repository and digest.

    Raises:
        LinkRefused: it opens nothing, or no longer.
    """
    match = _QUERY.fullmatch(query)
    if match is None:
        raise LinkRefused("not a link")
    link = BlobLink(path, repository_id, digest, match[2], int(match[1]))
    if not hmac.compare_digest(_sign(key, link), match[3]):
        raise LinkRefused("not a link to this blob")
    if link.expires_at <= now:
        raise LinkRefused("the link has expired")
    return link


def _sign(key: bytes, link: BlobLink) -> str:
    fields = (link.path, link.repository_id, link.digest, link.account_id, str(link.expires_at))
    # Each field with its length: two different links can never give the same message.
    message = _CONTEXT + b"".join(b"%d:%b" % (len(data), data) for data in (field.encode() for field in fields))
    return urlsafe_b64encode(hmac.digest(key, message, "sha256")).rstrip(b"=").decode()
