"""The one wildcard of ECR's filters and patterns: ``*`` is any run of characters, everything else is literal."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Match the whole of `text`. Linear: each part of the pattern is searched once."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    *middle, last = rest
    position = len(first)
    for part in middle:
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return len(text) - position >= len(last) and text.endswith(last)
