"""The credential report's rows, and what documents weigh."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from moorage.metadata.identity.records import Identity, KeyUse, LoginProfile
from moorage.operations.identity.credential_report import HEADER, Facts, as_csv
from moorage.operations.identity.documents import size_of

A, DAY = "111111111111", 24 * 3600 * 1_000_000


def test_report() -> None:
    born = 1_735_689_600_000_000
    used = KeyUse("AKIA1", A, "AIDA1", "Active", born, born + DAY, "ecr", "eu-west-1")
    facts = Facts(
        account_id=A,
        root_created_at=born,
        users=[
            Identity("AIDA1", A, "user", "=a,b", "/x/", born, last_used_at=born + DAY),
            Identity("AIDA2", A, "user", "b", "/", born),
        ],
        keys={"AIDA1": [used]},
        profiles={"AIDA1": LoginProfile("AIDA1", "", False, born, 0, 0)},
        changed_at={"AIDA1": born + DAY},
        with_device={A},
        max_age_days=90,
    )
    text = as_csv(facts)
    assert "" not in text.split("\n")
    root, first, second = csv.DictReader(io.StringIO(text))
    assert tuple(root) == HEADER
    assert (root["user"], root["password_enabled"], root["mfa_active"]) == ("<root_account>", "not_supported", "true")
    assert (first["user"], first["arn"]) == ("=a,b", f"arn:aws:iam::{A}:user/x/=a,b")
    assert first["user_creation_time"] == "2025-01-01T00:00:00+00:00"
    assert first["password_last_used"] == first["password_last_changed"] == "2025-01-02T00:00:00+00:00"
    assert first["password_next_rotation"] == "2025-04-02T00:00:00+00:00"
    assert [first[f"access_key_1_{column}"] for column in ("active", "last_used_service", "last_used_region")] == [
        "true",
        "ecr",
        "eu-west-1",
    ]
    assert [second[f"access_key_{number}_active"] for number in (1, 2)] == ["false", "false"]
    assert (second["password_enabled"], second["mfa_active"], second["cert_2_last_rotated"]) == ("false", "false", "N/A")


@given(st.recursive(st.text("ab \n\t"), lambda inner: st.lists(inner) | st.dictionaries(st.text("k "), inner)), st.integers(0, 8))
def test_white_space_weighs_nothing(document: object, indent: int) -> None:
    plain, wide = json.dumps(document), json.dumps(document, indent=indent)
    assert size_of(plain) == size_of(wide) == len("".join(plain.split()))
