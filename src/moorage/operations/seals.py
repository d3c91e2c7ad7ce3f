"""What a use case says when something is missing that only a provider of keys can give. None is asked inside a transaction: it
ends, the shell gets what is missing, and the use case runs again."""

from __future__ import annotations


class SealKeyMissing(Exception):
    """A registry has nothing to seal with yet.

    `kind` and `wanted` are what a provider has to know: see `moorage.keys.provider`.
    """

    def __init__(self, kind: str, wanted: str = "") -> None:
        super().__init__(kind)
        self.kind, self.wanted = kind, wanted


class SealOvertaken(Exception):
    """The repository, or what seals it, is no more what something was sealed for: it is to be sealed again."""
