"""Moments on the AWS wires: JSON has epoch seconds with up to three decimals, the query protocol ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal

from moorage.wire.aws.faults import SerializationFault

LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z; the first is 0001-01-01."""
FIRST_SECOND = -62_135_596_800

Format = Literal["iso8601", "unixTimestamp", "rfc822"]


def check_range(seconds: float) -> float:
    """Return `seconds` if a calendar can show it.

    Raises:
        SerializationFault: it lies outside the years 1 to 9999, or is no number.
    """
    if FIRST_SECOND <= seconds <= LAST_SECOND:
        return seconds
    raise SerializationFault("Timestamp out of range")


def parse_text(text: str) -> float:
    """Seconds since the epoch of an ISO 8601, RFC 822 or decimal moment; without a zone it is UTC.

    Raises:
        SerializationFault: it is none of them.
    """
    try:
        if text[:1].isdigit() and text.replace(".", "", 1).isdigit() and "-" not in text[:5]:
            return check_range(float(text))
        moment = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return check_range(moment.timestamp())
    except (ValueError, OverflowError, TypeError):
        raise SerializationFault("Invalid timestamp") from None


def to_number(seconds: float) -> float | int:
    """`seconds` with at most three decimals, a whole number where there are none."""
    rounded = round(check_range(seconds), 3)
    return int(rounded) if rounded == int(rounded) else rounded


def to_text(seconds: float, form: Format | None) -> str:
    """`seconds` in the format of a shape; None: ISO 8601, the default of the query protocol."""
    if form == "unixTimestamp":
        return str(to_number(seconds))
    moment = datetime.fromtimestamp(check_range(seconds), UTC)
    if form == "rfc822":
        return format_datetime(moment, usegmt=True)
    milliseconds = moment.microsecond // 1000
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{milliseconds:03d}Z" if milliseconds else "Z")
