"""Texts from outside, as they may stand in a log or a message: in one line, and no longer than somebody wants to read."""

from __future__ import annotations

import re

MOST_CHARACTERS = 200
MOST_OF_A_LINE = 4000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str | bytes, most: int = MOST_CHARACTERS) -> str:
    """A name, path or host that somebody else chose: quoted, its control characters escaped, its end left off if it is long."""
    plain = text if isinstance(text, str) else text[: most + 1].decode("latin-1")
    return one_line(repr(plain if len(plain) <= most else plain[:most] + "…"))


def one_line(text: str, most: int = MOST_OF_A_LINE) -> str:
    """A line of a log that is one, whatever stands in it: line ends, control characters and changes of direction escaped."""
    cut = text if len(text) <= most else f"{text[:most]}… ({len(text) - most} more)"
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}" if ord(match[0]) > 255 else f"\\x{ord(match[0]):02x}", cut)
