"""Repository creation templates, and the repositories that pushes make by them."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.access.people import PUSH, Person, allow, document, grant
from tests.integration.aws.errors import each, no_repository, parameter, refused
from tests.integration.aws.registries import registry_of

RULE = {
    "rulePriority": 1,
    "description": "keep the newest ten images of each repository",
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
    "action": {"type": "expire"},
}
LIFECYCLE = json.dumps({"rules": [RULE]})


@pytest.fixture
def theirs(server: MoorageServer, account: KeyPair) -> Any:
    return server.client(key=account)


def create(client: Any, prefix: str = "team", *kinds: str, **more: Any) -> dict[str, Any]:
    answer = client.create_repository_creation_template(prefix=prefix, appliedFor=list(kinds or ("CREATE_ON_PUSH",)), **more)
    made: dict[str, Any] = answer["repositoryCreationTemplate"]
    return made


def test_a_template_through_its_life(theirs: Any, account: KeyPair) -> None:
    policy = document(grant({"AWS": account.account_id}, "ecr:BatchGetImage"))
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    made = create(
        theirs,
        "team/",
        "CREATE_ON_PUSH",
        "REPLICATION",
        description="of the team",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
        repositoryPolicy=policy,
        lifecyclePolicy=LIFECYCLE,
        resourceTags=[{"Key": "team", "Value": "a"}],
        customRoleArn=f"arn:aws:iam::{account.account_id}:role/templates",
    )
    created_at = made.pop("createdAt")
    assert made.pop("updatedAt") == created_at
    assert made == {
        "prefix": "team/",
        "description": "of the team",
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "resourceTags": [{"Key": "team", "Value": "a"}],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters,
        "repositoryPolicy": policy,
        "lifecyclePolicy": LIFECYCLE,
        "appliedFor": ["CREATE_ON_PUSH", "REPLICATION"],
        "customRoleArn": f"arn:aws:iam::{account.account_id}:role/templates",
    }
    with refused("TemplateAlreadyExistsException"):
        create(theirs, "team")
    changed = theirs.update_repository_creation_template(prefix="team", description="new", imageTagMutability="MUTABLE")
    changed = changed["repositoryCreationTemplate"]
    assert (changed["description"], changed["imageTagMutability"]) == ("new", "MUTABLE")
    assert "imageTagMutabilityExclusionFilters" not in changed
    assert (changed["lifecyclePolicy"], changed["createdAt"]) == (LIFECYCLE, created_at)
    cleared = theirs.update_repository_creation_template(prefix="team", repositoryPolicy="", lifecyclePolicy="")
    assert not {"repositoryPolicy", "lifecyclePolicy"} & set(cleared["repositoryCreationTemplate"])
    told = theirs.describe_repository_creation_templates(prefixes=["nothing", "team"])
    assert told["registryId"] == account.account_id
    assert [each_one["prefix"] for each_one in told["repositoryCreationTemplates"]] == ["team/"]
    assert theirs.delete_repository_creation_template(prefix="team")["repositoryCreationTemplate"]["description"] == "new"
    where = f"in the registry with id '{account.account_id}'"
    for call in each(
        lambda: theirs.delete_repository_creation_template(prefix="team"),
        lambda: theirs.update_repository_creation_template(prefix="team", description="x"),
    ):
        text = f"The repository creation template with prefix 'team' does not exist {where}"
        with refused("TemplateNotFoundException", text):
            call()


def test_what_no_template_can_say(theirs: Any, account: KeyPair) -> None:
    with refused("InvalidParameterException") as answer:
        create(theirs, repositoryPolicy="{}")
    assert "'PolicyText' failed to satisfy constraint: 'The policy document is malformed: " in answer["Error"]["Message"]
    rejected = "Lifecycle policy validation failure: Could not map policyString into LifecyclePolicy."
    with refused("InvalidParameterException", parameter("LifecyclePolicyText", rejected)):
        create(theirs, lifecyclePolicy="no json")
    contradictions: tuple[dict[str, Any], ...] = (
        {"appliedFor": []},
        {"prefix": "UPPER"},
        {"imageTagMutability": "MUTABLE_WITH_EXCLUSION"},
        {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/x"}},
        {"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": "arn:aws:kms:us-east-1:123456789012:key/a"}},
        {"customRoleArn": "nonsense"},
    )
    for more in contradictions:
        arguments: dict[str, Any] = {"prefix": "team", "appliedFor": ["REPLICATION"], **more}
        with refused("InvalidParameterException"):
            theirs.create_repository_creation_template(**arguments)
    with refused("ValidationException", "The custom role must be in the same account as the registry"):
        create(theirs, customRoleArn="arn:aws:iam::000000000000:role/theirs")
    for key in ("aws:reserved", "no*star"):
        with refused("ValidationException"):
            create(theirs, resourceTags=[{"Key": key, "Value": "x"}])
    assert theirs.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


def test_pages(theirs: Any) -> None:
    for number in range(7):
        create(theirs, f"team{number}")
    pages = theirs.get_paginator("describe_repository_creation_templates").paginate(PaginationConfig={"PageSize": 3})
    found = [[each_one["prefix"] for each_one in page["repositoryCreationTemplates"]] for page in pages]
    assert found == [["team0", "team1", "team2"], ["team3", "team4", "team5"], ["team6"]]


def test_a_push_creates_a_repository(server: MoorageServer, account: KeyPair, theirs: Any) -> None:
    policy = document(grant({"AWS": account.account_id}, "ecr:BatchGetImage"))
    built = builders.image(1)
    with registry_of(server, account) as registry:
        assert registry.request("POST", "/v2/team/app/blobs/uploads/").code == "NAME_UNKNOWN"
        create(theirs, "team", imageTagMutability="IMMUTABLE", repositoryPolicy=policy, lifecyclePolicy=LIFECYCLE)
        create(theirs, "team/deep", "REPLICATION")
        create(theirs, "team/deeper", imageTagMutability="MUTABLE")
        registry.push_image("team/app", built, "v1")
        registry.push_image("team/deep/app", built, "v1")
        registry.push_image("team/deeper/app", built, "v1")
        for absent in ("team", "teams/app", "other"):
            answer = registry.request("POST", f"/v2/{absent}/blobs/uploads/")
            assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
        registry.require_image("team/app", built, "v1")
    told = {each_one["repositoryName"]: each_one for each_one in theirs.describe_repositories()["repositories"]}
    assert {name: each_one["imageTagMutability"] for name, each_one in told.items()} == {
        "team/app": "IMMUTABLE",
        "team/deep/app": "IMMUTABLE",
        "team/deeper/app": "MUTABLE",
    }
    assert theirs.get_repository_policy(repositoryName="team/app")["policyText"] == policy
    assert theirs.get_lifecycle_policy(repositoryName="team/app")["lifecyclePolicyText"] == LIFECYCLE


def test_every_way_of_beginning_a_push(server: MoorageServer, account: KeyPair, theirs: Any) -> None:
    create(theirs, "ROOT")
    data = b"blob"
    digest = builders.digest(data)
    with registry_of(server, account) as registry:
        for name in ("a/post", "a/whole", "a/mount"):
            query = {"a/whole": f"?digest={digest}", "a/mount": f"?mount={digest}&from=a/whole"}.get(name, "")
            answer = registry.request("POST", f"/v2/{name}/blobs/uploads/{query}", data if name == "a/whole" else b"")
            assert answer.status in {201, 202}, answer.body
        index = builders.index([])
        answer = registry.request("PUT", "/v2/a/index/manifests/v1", index)
        assert answer.status == 201, answer.body
        for method, path in (("HEAD", f"/v2/a/probe/blobs/{digest}"), ("GET", "/v2/a/probe/manifests/v1")):
            assert registry.request(method, path).status == 404
    assert theirs.initiate_layer_upload(repositoryName="a/layer")["uploadId"]
    assert theirs.put_image(repositoryName="a/image", imageManifest=index.decode(), imageTag="v1")
    with refused("RepositoryNotFoundException"):
        theirs.batch_check_layer_availability(repositoryName="a/probe", layerDigests=[digest])
    found = [each_one["repositoryName"] for each_one in theirs.describe_repositories()["repositories"]]
    assert found == ["a/image", "a/index", "a/layer", "a/mount", "a/post", "a/whole"]


def test_a_template_that_cannot_be_applied_creates_nothing(server: MoorageServer, account: KeyPair, theirs: Any) -> None:
    create(theirs, "tags", resourceTags=[{"Key": "team", "Value": "a"}])
    create(theirs, "kms", encryptionConfiguration={"encryptionType": "KMS"})
    role = f"arn:aws:iam::{account.account_id}:role/templates"
    create(theirs, "roles", resourceTags=[{"Key": "team", "Value": "a"}], customRoleArn=role)
    for prefix in ("tags", "kms"):
        why = f"the creation template {prefix} cannot be applied: it has resource tags or KMS encryption and therefore needs a"
        with refused("RepositoryNotFoundException") as answer:
            theirs.initiate_layer_upload(repositoryName=f"{prefix}/a")
        assert f"{why} customRoleArn" in answer["Error"]["Message"]
        with registry_of(server, account) as registry:
            pushed = registry.request("POST", f"/v2/{prefix}/a/blobs/uploads/")
            assert (pushed.status, pushed.code) == (404, "NAME_UNKNOWN")
            assert f"{why} customRoleArn" in pushed.message
    # Who may not create it does not learn of the template.
    pusher = Person(server, account, allow(*PUSH))
    with refused("RepositoryNotFoundException", no_repository("tags/a", account.account_id)):
        pusher.ecr.initiate_layer_upload(repositoryName="tags/a")
    theirs.initiate_layer_upload(repositoryName="roles/a")
    arn = f"arn:aws:ecr:us-east-1:{account.account_id}:repository/roles/a"
    assert theirs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "a"}]
    assert len(theirs.describe_repositories()["repositories"]) == 1


def test_only_those_create_who_may(server: MoorageServer, account: KeyPair, theirs: Any) -> None:
    create(theirs, "team")
    pusher = Person(server, account, allow(*PUSH))
    with refused("RepositoryNotFoundException"):
        pusher.ecr.initiate_layer_upload(repositoryName="team/a")
    pusher.may(allow(*PUSH, "ecr:CreateRepository"))
    pusher.ecr.initiate_layer_upload(repositoryName="team/a")
    creator = Person(server, account, allow("ecr:CreateRepository"))
    with refused("AccessDeniedException"):
        creator.ecr.initiate_layer_upload(repositoryName="team/b")
    assert [each_one["repositoryName"] for each_one in theirs.describe_repositories()["repositories"]] == ["team/a"]


def test_what_a_template_brings_needs_its_right(server: MoorageServer, account: KeyPair) -> None:
    actions = ["ecr:CreateRepositoryCreationTemplate", "ecr:CreateRepository", "iam:CreateServiceLinkedRole"]
    person = Person(server, account, allow(*actions))
    policy = document(grant({"AWS": account.account_id}, "ecr:BatchGetImage"))
    role = f"arn:aws:iam::{account.account_id}:role/templates"
    for more in ({"repositoryPolicy": policy}, {"lifecyclePolicy": LIFECYCLE}, {"customRoleArn": role}):
        with refused("AccessDeniedException"):
            create(person.ecr, **more)
    create(person.ecr)


def test_layers_that_come_together_create_it_once_and_warn_of_nothing(
    server: MoorageServer, account: KeyPair, theirs: Any
) -> None:
    """Clients push the layers of an image in parallel: all but one find that the repository was created meanwhile."""
    create(theirs, "ROOT")
    since = server.log_size()

    def begin(name: str, barrier: threading.Barrier) -> int:
        with registry_of(server, account) as registry:
            barrier.wait(30)
            return registry.request("POST", f"/v2/{name}/blobs/uploads/").status

    for turn in range(5):
        barrier = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(begin, [f"team/app{turn}"] * 8, [barrier] * 8)) == {202}
    assert "could not be applied" not in server.log.encode()[since:].decode("utf-8", "replace")
