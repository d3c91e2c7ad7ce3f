"""Exit statuses, the same numbers that the aws command line (version 2) has, so that scripts can tell them apart alike.

Source: AWS CLI user guide, version 2, "Command line return codes in the AWS CLI".
"""

from __future__ import annotations

import sys
from typing import NoReturn

DONE = 0
NO = 1
"""The command did what it should, and the answer is no: not allowed, faults found, something to mend."""
INTERRUPTED = 130
"""Ended by Ctrl-C."""
USAGE = 252
"""The command line makes no sense."""
ENVIRONMENT = 253
"""Settings, data folder, keys, database or blob store cannot be used."""
REFUSED = 254
"""What was asked for cannot be done: no such account, the name is taken, the limit is reached."""
FAILED = 255
"""Anything else went wrong."""


def fail(message: str, status: int = REFUSED) -> NoReturn:
    """Say on one line what is wrong and what to do, and end with a status that scripts see."""
    sys.stderr.write(f"moorage: {message}\n")
    sys.exit(status)
