"""The errors of identities. They carry facts; the wire of IAM gives them codes and words.

::

    DomainError
    ├── EntityNotFound (NotFound)    no user, role, policy ... of that name
    ├── EntityExists (Conflict)      the name is taken
    ├── DeleteConflict (Conflict)    something has to go first
    ├── Unmodifiable                 of AWS, or in the care of a service
    ├── NotAttachable                a policy that only services attach
    ├── InputInvalid                 values that contradict each other, or a rule of IAM
    ├── RequestInvalid               a value that no valid request contains, in the words of its own rule
    ├── UserTypeInvalid              only users can do that
    ├── PasswordRefused              the account's password policy does not allow it
    ├── OldPasswordWrong
    ├── TriesExhausted               too many failed tries: wait
    ├── CodeRefused                  a code that the device does not show now
    └── ReportMissing                ReportOutdated
"""

from __future__ import annotations

from moorage.model.errors import Conflict, DomainError, NotFound


class EntityNotFound(NotFound):
    """No entity of that kind and name in the account. `part` is what of it is missing, such as a version."""

    def __init__(self, kind: str, name: str, part: str = "") -> None:
        super().__init__(f"{kind} {name} {part}".strip())
        self.kind = kind
        self.name = name
        self.part = part


class EntityExists(Conflict):
    """The account has an entity of that kind and name, if only for its case."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name}")
        self.kind = kind
        self.name = name


class DeleteConflict(Conflict):
    """Something else has to be deleted, detached or removed first; the message says what."""


class Unmodifiable(DomainError):
    """A role that belongs to a service, or a policy of AWS."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name}")
        self.kind = kind
        self.name = name


class NotAttachable(DomainError):
    """A policy that only services attach, to their own roles."""


class InputInvalid(DomainError):
    """Values that contradict each other or break a rule of IAM; the message says which."""


class RequestInvalid(DomainError):
    """A value that no valid request contains; the message is the rule's own."""


class UserTypeInvalid(DomainError):
    """Only a user can do that, and the caller is none."""


class PasswordRefused(DomainError):
    """The account's password policy does not allow it; the message says why."""


class OldPasswordWrong(DomainError):
    """The password that was to prove who asks is not the user's."""


class TriesExhausted(DomainError):
    """Too many failed tries: the next one counts after `seconds`."""

    def __init__(self, name: str, seconds: int) -> None:
        super().__init__(f"{name}: {seconds} s")
        self.name = name
        self.seconds = seconds


class CodeRefused(DomainError):
    """Codes that the device does not show now, that were used already, or that came after too many wrong ones."""


class ReportMissing(DomainError):
    """No report was asked for."""


class ReportOutdated(DomainError):
    """The report is too old to be shown."""
