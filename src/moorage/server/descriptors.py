"""How many files and sockets this process may have open, and how many of them connections may take."""

from __future__ import annotations

import contextlib
import resource

_ENOUGH = 1 << 20
"""Some systems set the hard limit to a thousand million: nothing here needs that, and tables are sized by it."""
RESERVED = 128
"""For the database, the blob store, logs, certificates and what the threads open."""
_EACH = 3
"""A connection, its duplicate for a thread, and the file that it sends or writes."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one; what is in force then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _ENOUGH if soft == resource.RLIM_INFINITY else soft
    with contextlib.suppress(OSError, ValueError):  # some systems have a lower bound of their own
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def most_connections(limit: int) -> int:
    """How many connections leave enough descriptors for everything else, of `limit`."""
    return max(16, (limit - max(RESERVED, limit // 8)) // _EACH)


def most_addresses(limit: int) -> int:
    """How many addresses of loopback may be listened on, of `limit` descriptors: half of what is not for connections."""
    return max(8, limit // 32)
