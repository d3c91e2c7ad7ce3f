"""What the head of a request must be like before anything believes it: the framing of the body, and the Host.

The parser has rules of its own, which it drops where a request asks for an upgrade. These hold in every case, whichever parser
reads the body afterwards. Source: RFC 9112, sections 3.2 and 6.1 to 6.3; RFC 9110, section 7.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HOST = re.compile(rb"(?:(?!\.)(?:[0-9A-Za-z_~-]|\.(?!\.)){0,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_REMEMBERED = 1024
_known_hosts: dict[bytes, None] = {}


def is_framed(version: str, codings: Sequence[bytes], lengths: Sequence[bytes]) -> bool:
    """Tell whether there is one way, and one way only, to say where the body ends.

    Args:
        version: of HTTP, such as ``1.1``.
        codings: the values of all Transfer-Encoding fields, in order.
        lengths: the values of all Content-Length fields, in order.
    """
    if codings:
        # Any coding but `chunked`, alone or before it, would have to be undone by a server that says it can.
        return not lengths and version == "1.1" and len(codings) == 1 and codings[0].strip(b" \t").lower() == b"chunked"
    return len(lengths) < 2 and all(length.isdigit() and len(length) < 20 for length in lengths)


def is_host(value: bytes) -> bool:
    """Tell whether a Host field has the form of one: a name (255 bytes at most) or an address, and perhaps a port.

    Names are of letters, digits, ``-``, ``.``, ``_`` and ``~``: what else RFC 3986 lets stand in a name is in no name of DNS, and
    a host ends up in headers and links. Only the last of a name's parts may be empty. An empty host is allowed (RFC 9112,
    section 3.2).
    """
    if value in _known_hosts:
        return True
    if _HOST.fullmatch(value) is None:
        return False
    if len(_known_hosts) >= _REMEMBERED:
        del _known_hosts[next(iter(_known_hosts))]
    _known_hosts[value] = None
    return True
