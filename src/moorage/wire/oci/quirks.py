"""Where Amazon ECR departs from the distribution specification: one switch, ``--ecr-quirks``, off by default.

Each rule names the departure that it stands for; docs/reference/quirks.md lists them with their effect.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """All on or all off. Only departures that lose nothing are imitated."""

    on: bool = False

    @property
    def refuse_without_challenge(self) -> bool:
        """Q-1: a bad token is answered 403 without a challenge; Q-2 likewise."""
        return self.on

    @property
    def invalid_is_unsupported(self) -> bool:
        """Q-3: an invalid manifest or parameter is answered 405 UNSUPPORTED."""
        return self.on

    @property
    def refuse_large_pages(self) -> bool:
        """Q-5: `n` above 1000 is an error instead of a shorter page."""
        return self.on

    @property
    def refuse_identical_push(self) -> bool:
        """Q-7: pushing the same image to the same immutable tag again fails."""
        return self.on

    @property
    def last_tag_takes_image(self) -> bool:
        """Q-8: deleting an image's last tag deletes the image."""
        return self.on

    @property
    def chunk_status(self) -> int:
        """Q-11: a chunk is answered 201 instead of 202."""
        return 201 if self.on else 202

    @property
    def keep_blobs(self) -> bool:
        """Q-15: blobs cannot be deleted."""
        return self.on

    @property
    def serve_named_blobs_only(self) -> bool:
        """Q-17: a blob can be pulled only once an image names it."""
        return self.on
