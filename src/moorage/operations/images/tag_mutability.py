"""Tag mutability: modes, exclusion filters, and whether a tag may move. Source: ECR PutImageTagMutability, "effective mode"."""

from __future__ import annotations

from collections.abc import Sequence

from moorage.model import limits
from moorage.model.errors import ParameterInvalid
from moorage.model.wildcards import matches

MUTABLE, IMMUTABLE = "MUTABLE", "IMMUTABLE"
WITH_EXCLUSION = "_WITH_EXCLUSION"
_MEMBER = "imageTagMutabilityExclusionFilters"


def check_filters(mode: str, filters: Sequence[str] | None) -> tuple[str, ...]:
    """The filters to store for a mode. Raises ParameterInvalid where mode and filters do not go together."""
    if not mode.endswith(WITH_EXCLUSION):
        if filters:
            raise ParameterInvalid(
                _MEMBER, f"ImageTagMutabilityExclusionFilters can't be specified when imageTagMutability is set as {mode}"
            )
        return ()
    if not filters:
        raise ParameterInvalid(
            _MEMBER, f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mode}"
        )
    for pattern in filters:
        if pattern.count("*") > limits.EXCLUSION_FILTER_STARS:
            raise ParameterInvalid(_MEMBER, f"a filter can have at most {limits.EXCLUSION_FILTER_STARS} wildcards")
    return tuple(filters)


def is_mutable(mode: str, filters: Sequence[str], tag: str) -> bool:
    """Tell whether a tag that points somewhere may be pointed elsewhere."""
    excluded = any(matches(pattern, tag) for pattern in filters)
    return (mode.startswith(MUTABLE)) != excluded
