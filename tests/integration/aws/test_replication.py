"""Replication as it is configured: rules, what pushes ask for, backfills."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow
from tests.integration.aws.errors import each, parameter, refused
from tests.integration.aws.registries import registry_of

MEMBER = "replicationConfiguration"
OTHER = "123456789012"


def rule(*destinations: tuple[str, str], prefixes: list[str] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"destinations": [{"region": region, "registryId": account} for region, account in destinations]}
    if prefixes is not None:
        made["repositoryFilters"] = [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in prefixes]
    return made | more


@pytest.fixture
def theirs(server: MoorageServer, account: KeyPair) -> Any:
    return server.client(key=account)


def configure(client: Any, *rules: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.put_replication_configuration(replicationConfiguration={"rules": list(rules)})
    return answer["replicationConfiguration"]  # type: ignore[no-any-return]


def test_rules_are_replaced_and_shown(theirs: Any, account: KeyPair) -> None:
    first = rule(("eu-west-1", account.account_id), ("us-east-1", OTHER), prefixes=["prod", "prod/api"])
    second = rule(("eu-west-2", OTHER), deleteReplication={"enabled": True})
    assert configure(theirs, first, second) == {"rules": [first, second]}
    told = theirs.describe_registry()
    assert (told["registryId"], told["replicationConfiguration"]) == (account.account_id, {"rules": [first, second]})
    assert configure(theirs, rule()) == {"rules": [rule()]}
    assert configure(theirs) == {"rules": []}
    assert theirs.describe_registry()["replicationConfiguration"] == {"rules": []}


def test_what_no_rule_can_say(theirs: Any, account: KeyPair) -> None:
    own = account.account_id
    for rules, constraint in (
        ([rule(("us-east-1", own))], "Replication destination cannot be the same as the source registry"),
        ([rule(("eu-west-1", own), ("eu-west-1", own))], "Replication destinations must be unique within a rule"),
        ([rule(("nowhere", own))], "Invalid replication destination region 'nowhere'"),
        ([rule(("cn-north-1", own))], "Invalid replication destination region 'cn-north-1'"),
        (
            [rule(*((f"eu-west-{number}", own) for number in range(1, 27)))],
            "Replication configuration can have at most 25 unique destinations",
        ),
    ):
        with refused("InvalidParameterException", parameter(MEMBER, constraint)):
            configure(theirs, *rules)
    for rules in ([rule()] * 26, [rule(prefixes=["UPPER"])], [rule(("eu-west-1", "12"))]):
        with refused("InvalidParameterException"):
            configure(theirs, *rules)
    configure(theirs, rule(*((f"eu-west-{number}", own) for number in range(1, 26))))


def test_the_service_gets_its_role(server: MoorageServer, account: KeyPair) -> None:
    person = Person(server, account, allow("ecr:PutReplicationConfiguration"))
    configure(person.ecr)
    with refused("AccessDeniedException"):
        configure(person.ecr, rule(("eu-west-1", OTHER)))
    person.may(allow("ecr:PutReplicationConfiguration", "iam:CreateServiceLinkedRole"))
    configure(person.ecr, rule(("eu-west-1", OTHER)))
    role = person.iam.get_role(RoleName="AWSServiceRoleForECRReplication")["Role"]
    assert role["Path"] == "/aws-service-role/replication.ecr.amazonaws.com/"
    person.may(allow("ecr:PutReplicationConfiguration"))
    configure(person.ecr, rule(("eu-west-2", OTHER)))


def test_a_push_asks_for_copies(server: MoorageServer, account: KeyPair, theirs: Any) -> None:
    name, other = fresh_name("prod/app"), fresh_name("test")
    for each_name in (name, other):
        theirs.create_repository(repositoryName=each_name)
    before, after = builders.image(1), builders.image(2)

    def statuses(repository: str, tag: str) -> list[dict[str, str]]:
        told = theirs.describe_image_replication_status(repositoryName=repository, imageId={"imageTag": tag})
        assert (told["repositoryName"], told["imageId"]["imageTag"]) == (repository, tag)
        found: list[dict[str, str]] = told["replicationStatuses"]
        return found

    with registry_of(server, account) as registry:
        registry.push_image(name, before, "before")
        configure(theirs, rule(("eu-west-1", OTHER), prefixes=["prod"]), rule(("eu-west-2", OTHER), ("eu-west-1", OTHER)))
        registry.push_image(name, after, "after")
        registry.push_image(other, after, "after")
        assert statuses(name, "before") == []
        # Nobody copies yet, and nobody is to wait for it.
        asked = {"registryId": OTHER, "status": "FAILED", "failureCode": "EngineNotAvailable"}
        assert statuses(name, "after") == [{"region": "eu-west-1", **asked}, {"region": "eu-west-2", **asked}]
        assert [each["region"] for each in statuses(other, "after")] == ["eu-west-1", "eu-west-2"]
        # A new tag is a push; the same one again is none.
        registry.push_image(name, before, "before")
        assert statuses(name, "before") == []
        registry.push_image(name, before, "again")
        assert len(statuses(name, "before")) == 2
    theirs.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": after.digest}])
    with refused("ImageNotFoundException"):
        statuses(name, "after")


def test_backfills(theirs: Any) -> None:
    destination = {"region": "eu-west-1", "registryId": OTHER}
    with refused("ValidationException", "The destination is not in the replication configuration of the registry"):
        theirs.start_replication_backfill(destination=destination)
    configure(theirs, rule(*((f"eu-west-{number}", OTHER) for number in range(1, 13))))
    made = theirs.start_replication_backfill(destination=destination)
    assert (made["destination"], made["status"]) == (destination, "PREPARING")
    backfill = made["replicationBackfillId"]
    for number in range(2, 11):
        theirs.start_replication_backfill(destination=destination | {"region": f"eu-west-{number}"})
    told = theirs.describe_replication_backfill_results(replicationBackfillId=backfill)
    assert (told["status"], told["failureCode"]) == ("FAILED", "EngineNotAvailable")
    assert (told["results"], "progress" in told) == ([], False)
    with refused("ReplicationBackfillInvalidStatusException"):
        theirs.stop_replication_backfill(replicationBackfillId=backfill)
    assert told["endedAt"] >= told["startedAt"]
    pages = list(theirs.get_paginator("list_replication_backfills").paginate(PaginationConfig={"PageSize": 3}))
    regions = [each["destination"]["region"] for page in pages for each in page["backfills"]]
    assert [len(page["backfills"]) for page in pages] == [3, 3, 3, 1]
    assert regions == [f"eu-west-{number}" for number in range(10, 0, -1)]
    token = pages[0]["nextToken"]
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        theirs.list_replication_backfills(nextToken=token[:-4] + "AAAA")


def test_backfills_that_there_are_not(theirs: Any, ecr: Any, server: MoorageServer) -> None:
    absent = "00000000-0000-4000-8000-000000000000"
    for call in each(
        lambda: theirs.stop_replication_backfill(replicationBackfillId=absent),
        lambda: theirs.describe_replication_backfill_results(replicationBackfillId=absent),
    ):
        with refused("ReplicationBackfillNotFoundException"):
            call()
    with refused("AccessDeniedException"):
        theirs.list_replication_backfills(registryId=server.root.account_id)
