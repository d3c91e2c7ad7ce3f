"""Random identifiers. Nothing here is derived from content or from a counter."""

from __future__ import annotations

import base64
import os
import secrets
import string
import uuid

_KEY_ALPHABET = string.ascii_uppercase + "234567"


def storage_key() -> str:
    """A fresh opaque key for the blob store: 160 random bits in lower-case base 32 (32 characters)."""
    return base64.b32encode(os.urandom(20)).decode("ascii").lower()


def small_key() -> str:
    """A fresh key of an object that lies in the database: no key of the blob store begins with a zero."""
    return "0" + storage_key()


def is_small_key(key: str) -> bool:
    """Tell whether an object lies in the database."""
    return key.startswith("0")


def public_alias() -> str:
    """A fresh default alias of a public registry: a letter and 7 letters or digits, as ECR Public gives them."""
    rest = string.ascii_lowercase + string.digits
    return secrets.choice(string.ascii_lowercase) + "".join(secrets.choice(rest) for _ in range(7))


def upload_id() -> str:
    """A fresh upload id in the form of the API: UUIDv4."""
    return str(uuid.uuid4())


def access_key_id() -> str:
    """A fresh long-term access key id: ``AKIA`` and 16 characters."""
    return "AKIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))


def temporary_key_id(account_id: str) -> str:
    """A fresh access key id of temporary credentials: ``ASIA`` and 16 characters, in which the account can be read.

    Of the 80 bits that those spell in base 32, the first is set, 40 are the account's number and the others are random: so
    clients that know how AWS's own ids are made find the account in ours.
    """
    head = (1 << 47) | (int(account_id) << 7) | secrets.randbits(7)
    return "ASIA" + base64.b32encode(head.to_bytes(6, "big") + os.urandom(4)).decode("ascii")


def account_in_key_id(access_key_id: str) -> str | None:
    """The account that `temporary_key_id` was given; None for an id that it did not make."""
    if len(access_key_id) != 20 or not access_key_id.startswith("ASIA"):
        return None
    try:
        head = int.from_bytes(base64.b32decode(access_key_id[4:])[:6], "big")
    except ValueError:
        return None
    account = (head & ~(1 << 47)) >> 7
    return f"{account:012d}" if head >> 47 and account < 10**12 else None


def secret_access_key() -> str:
    """A fresh secret of 40 characters (240 random bits)."""
    return base64.b64encode(os.urandom(30)).decode("ascii")


def unique_id(prefix: str) -> str:
    """A fresh unique id of IAM: a prefix such as ``AIDA`` and 17 characters (85 random bits)."""
    return prefix + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(17))
