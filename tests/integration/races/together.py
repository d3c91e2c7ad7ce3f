"""Calls that begin at the same moment, and what came of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

CALLERS = 8
"""As many as a server has connections to its database."""
WON = ""


def code_of(call: Callable[[], Any]) -> str:
    """The code of the error that a call ends with; `WON` for one that succeeds, ``nothing`` for one that returns False."""
    try:
        done = call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "nothing" if done is False else WON


def outcomes(calls: Sequence[Callable[[], Any]]) -> list[str]:
    """What came of calls that were made together, in their order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> str:
        barrier.wait(60)
        return code_of(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def counted(call: Callable[[], Any], times: int = CALLERS) -> Counter[str]:
    """How often what came of one call that many made together."""
    return Counter(outcomes([call] * times))
