"""Patterns of ``*`` and ``?`` over literal text, matched in bounded time whatever the pattern.

No regular expressions and no backtracking: between two stars the leftmost fit is always as good as any other, so each piece is
looked for once, from where the piece before it ended. A piece without ``?`` is found by `str.find`. One with ``?`` is found by
intersecting bit sets of positions, one shift for each character, so no text makes it try positions one by one.
The cost is at most (characters of the pattern + characters of the text) operations on integers as wide as the text.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_TEXT = 16_384
"""Longer values match only patterns without wildcards, and a lone ``*``. No header, ARN or tag is as long."""


class Wild(enum.Enum):
    """A wildcard among the tokens of a pattern."""

    RUN = "*"
    """Any characters, also none."""
    ONE = "?"
    """Any one character."""


Token = str | Wild
"""A pattern is a sequence of these: a string stands for itself."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands between two stars. `runs` are its literal parts with their offsets; the rest of `width` is ``?``."""

    width: int
    runs: tuple[tuple[int, str], ...]
    literal: str | None
    """All of it, if there is no ``?``."""

    def fits(self, text: str, at: int) -> bool:
        """Tell whether the piece stands in `text` at `at`, which is not negative."""
        if self.literal is not None:
            return text.startswith(self.literal, at)
        return at + self.width <= len(text) and all(text.startswith(run, at + offset) for offset, run in self.runs)


def _piece(width: int, runs: list[tuple[int, str]]) -> _Piece:
    literal = "" if not width else runs[0][1] if runs and len(runs[0][1]) == width else None
    return _Piece(width, tuple(runs), literal)


@dataclass(frozen=True, slots=True)
class Glob:
    """A compiled pattern. Without a star it is one piece that is as long as the text."""

    head: _Piece
    middle: tuple[_Piece, ...]
    tail: _Piece | None
    """None: there is no star."""

    def matches(self, text: str) -> bool:
        """Tell whether all of `text` fits the pattern."""
        head, tail = self.head, self.tail
        if tail is None:
            return len(text) == head.width and head.fits(text, 0)
        if len(text) > MAX_TEXT:
            return not (head.width or self.middle or tail.width)
        end = len(text) - tail.width
        if end < head.width or not head.fits(text, 0) or not tail.fits(text, end):
            return False
        return not self.middle or _in_order(self.middle, text, head.width, end)


def _in_order(pieces: tuple[_Piece, ...], text: str, start: int, end: int) -> bool:
    """Find the pieces one after the other within ``text[start:end]``, each as far left as it fits."""
    positions: dict[str, int] = {}
    for piece in pieces:
        if piece.literal is not None:
            found = text.find(piece.literal, start, end)
        elif not piece.runs:
            found = start if start + piece.width <= end else -1
        else:
            positions = positions or _positions(text)
            found = _find(piece, positions, start, end)
        if found < 0:
            return False
        start = found + piece.width
    return True


def _positions(text: str) -> dict[str, int]:
    """For each character of `text` the set of its positions, as the bits of an integer."""
    where: dict[str, list[int]] = {}
    for position, character in enumerate(text):
        where.setdefault(character, []).append(position)
    width = len(text) // 8 + 1
    sets = {}
    for character, found in where.items():
        bits = bytearray(width)
        for position in found:
            bits[position >> 3] |= 1 << (position & 7)
        sets[character] = int.from_bytes(bits, "little")
    return sets


def _find(piece: _Piece, positions: dict[str, int], start: int, end: int) -> int:
    room = end - start - piece.width
    if room < 0:
        return -1
    fitting = (1 << (room + 1)) - 1
    for offset, run in piece.runs:
        for index, character in enumerate(run, start + offset):
            fitting &= positions.get(character, 0) >> index
            if not fitting:
                return -1
    return start + (fitting & -fitting).bit_length() - 1


_WILDCARDS = {"*": Wild.RUN, "?": Wild.ONE}
_WILDCARD = re.compile(r"([*?])")


def tokenize(text: str) -> list[Token]:
    """Take a pattern apart; every ``*`` and ``?`` in it is a wildcard."""
    return [_WILDCARDS.get(part, part) for part in _WILDCARD.split(text) if part]


def literal_of(tokens: Sequence[Token]) -> str | None:
    """The text that tokens without a wildcard stand for; None if there is one."""
    if any(type(token) is not str for token in tokens):
        return None
    return "".join(str(token) for token in tokens)


def compile_glob(tokens: Sequence[Token]) -> Glob:
    """Compile the tokens of a pattern."""
    pieces: list[_Piece] = []
    runs: list[tuple[int, str]] = []
    width = 0
    for token in tokens:
        if token is Wild.RUN:
            pieces.append(_piece(width, runs))
            runs, width = [], 0
        elif token is Wild.ONE:
            width += 1
        else:
            text = str(token)
            if runs and runs[-1][0] + len(runs[-1][1]) == width:  # neighbours, such as a literal and a variable's value
                runs[-1] = (runs[-1][0], runs[-1][1] + text)
            else:
                runs.append((width, text))
            width += len(text)
    last = _piece(width, runs)
    if not pieces:
        return Glob(last, (), None)
    # Stars side by side leave empty pieces that fit anywhere.
    return Glob(pieces[0], tuple(piece for piece in pieces[1:] if piece.width), last)
