"""What this wire itself finds wrong with a request, before any use case sees it. `errors` gives it codes."""

from __future__ import annotations


class WireFault(Exception):
    """Base of the refusals that the wire decides on its own. The message may be shown."""


class SerializationFault(WireFault):
    """The body is not of the protocol, or a member has the wrong type."""


class ConstraintFault(WireFault):
    """A member breaks a rule of its shape; the message is already worded for the service. `code` is the error's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnknownOperation(WireFault):
    """No operation of that name (and API version) is known here."""


class MissingAction(WireFault):
    """A query request that does not say what it wants."""


class BodyTooLarge(WireFault):
    """The body is longer than the operation takes."""


class BodyStalled(WireFault):
    """Nothing more of the body came for too long."""


class Overloaded(WireFault):
    """Too many large bodies at once; the client is to try again."""


class OutputMismatch(Exception):
    """A handler returned something that the output shape does not have: a mistake in this program."""
