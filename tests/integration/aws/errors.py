"""How a test says which error it expects of boto3."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError


@contextlib.contextmanager
def refused(code: str, message: str | None = None, status: int = 400) -> Iterator[dict[str, Any]]:
    """The block raises a ClientError with exactly this code and text; what it answered can be looked at afterwards."""
    answer: dict[str, Any] = {}
    with pytest.raises(ClientError) as caught:
        yield answer
    answer.update(caught.value.response)
    error = answer["Error"]
    assert (error["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), error
    if message is not None:
        assert error["Message"] == message


def each(*calls: Callable[[], Any]) -> tuple[Callable[[], Any], ...]:
    """Calls that are to be treated alike."""
    return calls


def parameter(member: str, constraint: str) -> str:
    """The text of InvalidParameterException."""
    return f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'"


def no_repository(name: str, registry_id: str = "000000000000") -> str:
    """The text of RepositoryNotFoundException."""
    return f"The repository with name '{name}' does not exist in the registry with id '{registry_id}'"
