"""The words of STS and Organizations: none is missing, and every code is one that a client of the service can know."""

from __future__ import annotations

import pytest

from moorage.model import organization_errors, sts_errors
from moorage.model.errors import DomainError
from moorage.testing.error_tables import to_aws_error
from moorage.testing.reference.errors import sample
from moorage.wire.aws.common_errors import COMMON_CODES
from moorage.wire.aws.models import service_plan

INNER = {sts_errors.SessionRefused, sts_errors.IdentityTokenInvalid, organization_errors.OrganizationError}
SPECIAL = {
    sts_errors.SessionTagInvalid: sts_errors.SessionTagInvalid("k", "twice"),
    sts_errors.DurationTooLong: sts_errors.DurationTooLong(2, 1, is_chained=True),
    sts_errors.MfaFailed: sts_errors.MfaFailed("arn", is_incomplete=True),
}


def errors_of(module: object) -> list[type[DomainError]]:
    found = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, DomainError)]
    return [each for each in found if each is not DomainError and each not in INNER]


CASES = [(kind, "sts") for kind in errors_of(sts_errors)] + [(kind, "organizations") for kind in errors_of(organization_errors)]


@pytest.mark.parametrize(("kind", "service"), CASES)
def test_every_error_has_a_modelled_or_common_code(kind: type[DomainError], service: str) -> None:
    plan = service_plan(service)
    told = to_aws_error(SPECIAL.get(kind) or sample(kind), plan, None)
    assert told is not None
    assert told.message
    assert "{" not in told.message
    if told.code in plan.errors:
        assert told.status == plan.errors[told.code].status
    else:
        assert told.code in COMMON_CODES[plan.protocol]
        assert told.status == (403 if told.code == "AccessDenied" else 400)


def test_every_problem_of_a_tag_has_words() -> None:
    plan = service_plan("sts")
    for problem in ("twice", "reserved", "absent", "inherited"):
        told = to_aws_error(sts_errors.SessionTagInvalid("k", problem), plan, None)
        assert told is not None
        assert told.code == "ValidationError"
