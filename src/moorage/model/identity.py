"""Names, ARNs and kinds of IAM. Source: IAM user guide, "IAM identifiers" and "IAM and AWS STS quotas".

::

    arn:aws:iam::<account>:user<path><name>      also role, group, policy, instance-profile, mfa
    arn:aws:iam::aws:policy<path><name>          policies of AWS
    arn:aws:iam::<account>:oidc-provider/<url>   saml-provider/<name>
    arn:aws:iam::<account>:root
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from moorage.model.principal import root_arn
from moorage.model.scope import Scope, is_account_id

Kind = Literal["user", "group", "role"]
KINDS: tuple[Kind, ...] = ("user", "group", "role")

REGION = "us-east-1"
"""Where IAM has its seat: the region of its credential scopes."""

_PATH_AND_NAME = re.compile(r"(/(?:[\u0021-\u007e]+/)?)([\w+=,.@-]{1,128})", re.ASCII)
_LONGEST_ARN = 2048


class IamArn(Struct, frozen=True):
    """The parts of an ARN of IAM that has path and name. `account` is ``aws`` for policies of AWS."""

    account: str
    kind: str
    path: str
    name: str


def home(account_id: str) -> Scope:
    """The scope in which actions on an account's identities are authorised."""
    return Scope("aws", REGION, account_id)


def arn_of(account_id: str, kind: str, path: str, name: str) -> str:
    """The ARN of something with path and name, such as a user."""
    return f"arn:aws:iam::{account_id}:{kind}{path}{name}"


def parse_iam_arn(text: str) -> IamArn | None:
    """The parts of an ARN of IAM with path and name; None for anything else."""
    parts = text.split(":", 5)
    if len(text) > _LONGEST_ARN or len(parts) != 6 or parts[:2] != ["arn", "aws"] or parts[2] != "iam" or parts[3]:
        return None
    kind, slash, rest = parts[5].partition("/")
    found = _PATH_AND_NAME.fullmatch(slash + rest)
    if found is None or not (is_account_id(parts[4]) or (parts[4], kind) == ("aws", "policy")):
        return None
    return IamArn(parts[4], kind, found[1], found[2])


def account_of_root(text: str) -> str | None:
    """The account whose root an ARN names, or that twelve digits are; None for anything else."""
    if is_account_id(text):
        return text
    account = text.removeprefix("arn:aws:iam::").removesuffix(":root")
    return account if is_account_id(account) and text == root_arn(account) else None


def fold(name: str) -> str:
    """What a name is the same as: names differ in more than case."""
    return name.lower()
