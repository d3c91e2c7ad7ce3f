"""Ids of requests: in the answer, in the log, and what somebody who asks for help can name."""

from __future__ import annotations

import itertools
import os
from uuid import UUID


class RequestIds:
    """Makes ids in the form of a UUID of version 4, as SDKs of AWS expect: random for each process, then counted.

    An id is no secret. Counting costs a tenth of what new randomness does.
    """

    def __init__(self) -> None:
        random = str(UUID(bytes=os.urandom(16), version=4))
        self._prefix = random[:24].encode()
        self._numbers = itertools.count(int(random[24:], 16) // 2)  # half of them are left before there are more digits

    def next(self) -> bytes:
        """A fresh id, in ASCII."""
        return b"%b%012x" % (self._prefix, next(self._numbers))
