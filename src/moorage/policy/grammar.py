"""The rules that a document of each kind obeys, and the texts that IAM has for those who break them.

Source: IAM User Guide, "Grammar of the IAM JSON policy language"; the texts are those of MalformedPolicyDocument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from moorage.model.errors import MalformedPolicy
from moorage.policy.document import NEW_VERSION, OLD_VERSION, Kind
from moorage.policy.variables import VariableInvalid, variable_keys, without_variables

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VERSION = "Policy document must be version 2012-10-17 or greater."
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."
NO_PRINCIPAL = "Missing required field Principal"
PRINCIPAL_PROHIBITED = "Policy document should not specify a principal."
SID_FORM = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
SID_UNIQUE = "Statement IDs (SID) in a single policy must be unique."
NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
ONE_COLON = "Actions/Condition can contain only one colon."
RESOURCE_VENDOR = "Resource vendor must be fully qualified and cannot contain regexes."
INVALID_PRINCIPAL = "Invalid principal in policy"
TRUST_ACTIONS = "AssumeRole policy may only specify STS AssumeRole actions."

_VENDOR = re.compile(r"[a-z0-9-]{1,64}", re.IGNORECASE | re.ASCII)
_ACTION_NAME = re.compile(r"[a-z0-9_.*?-]{1,256}", re.IGNORECASE | re.ASCII)
_PARTITION = re.compile(r"aws(-[a-z]{1,8}){0,3}|\*")
_ACCOUNT = re.compile(r"[0-9]{12}")
_PATH_AND_NAME = r"(?:[\x21-\x29\x2b-\x3e\x40-\x7e]*/)?[\w+=,.@-]{1,128}"
_PRINCIPAL = re.compile(
    rf"arn:aws[a-z-]{{0,20}}:(?:iam::[0-9]{{12}}:(?:user|role)/{_PATH_AND_NAME}"
    r"|sts::[0-9]{12}:assumed-role/[\w+=,.@-]{1,64}/[\w+=,.@-]{2,64}"
    r"|sts::[0-9]{12}:federated-user/[\w+=,.@-]{2,32})",
    re.ASCII,
)
_ROOT = re.compile(r"arn:aws[a-z-]{0,20}:iam::([0-9]{12}):root")
_SERVICE = re.compile(r"[a-z0-9][a-z0-9.-]{0,120}\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)")
_PROVIDER = re.compile(
    r"arn:aws[a-z-]{0,20}:iam::[0-9]{12}:(?:oidc-provider|saml-provider)/[\x21-\x29\x2b-\x3e\x40-\x7e]{1,255}"
    r"|cognito-identity\.amazonaws\.com|www\.amazon\.com|graph\.facebook\.com|accounts\.google\.com"
)
_SID = re.compile(r"[0-9A-Za-z]*")
_IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What sets a kind of document apart."""

    needs_principal: bool
    """Or must not have one."""
    needs_resource: bool
    """Or must not have one."""
    vendors: frozenset[str] | None = None
    """The only services whose actions may be named; None: any."""
    everything: bool = True
    """``*`` may stand for all actions."""
    free_sids: bool = False
    """Sids may hold any characters, and occur twice."""
    versions: tuple[str | None, ...] = (None, OLD_VERSION, NEW_VERSION)
    not_json: str = SYNTAX


_ECR = frozenset(("ecr",))
_IDENTITY = Rules(needs_principal=False, needs_resource=True)
RULES = {
    Kind.IDENTITY: _IDENTITY,
    Kind.BOUNDARY: _IDENTITY,
    Kind.SESSION: _IDENTITY,
    Kind.SERVICE_CONTROL: _IDENTITY,
    Kind.RESOURCE_CONTROL: Rules(needs_principal=True, needs_resource=True),
    Kind.TRUST: Rules(
        needs_principal=True,
        needs_resource=False,
        vendors=frozenset(("sts",)),
        everything=False,
        not_json="This policy contains invalid Json",
    ),
    Kind.REPOSITORY: Rules(needs_principal=True, needs_resource=False, vendors=_ECR, free_sids=True),
    Kind.PUBLIC_REPOSITORY: Rules(needs_principal=True, needs_resource=False, vendors=frozenset(("ecr-public",)), free_sids=True),
    Kind.REGISTRY: Rules(needs_principal=True, needs_resource=True, vendors=_ECR, free_sids=True, versions=(NEW_VERSION,)),
}


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks the words of one document. Every method raises MalformedPolicy."""

    kind: Kind
    has_variables: bool = False

    @property
    def rules(self) -> Rules:
        """Those of the document's kind."""
        return RULES[self.kind]

    def fail(self, text: str, detail: str = "") -> NoReturn:
        """Refuse the document."""
        raise MalformedPolicy(text, self.kind.value, detail)

    def sid(self, sid: str) -> None:
        """A statement's id."""
        if not self.rules.free_sids and _SID.fullmatch(sid) is None:
            self.fail(SID_FORM, f"Sid {sid[:80]!r}")

    def action(self, action: str) -> None:
        """``vendor:Name`` with wildcards in the name, or ``*``; in `NotAction` as well."""
        rules = self.rules
        if action in ("*", "*:*"):
            if not rules.everything:
                self.fail(TRUST_ACTIONS)
            return
        vendor, colon, name = action.partition(":")
        if not colon:
            self.fail(NO_VENDOR, f"action {action[:80]!r}")
        if ":" in name:
            self.fail(ONE_COLON, f"action {action[:80]!r}")
        if _VENDOR.fullmatch(vendor) is None:
            self.fail(f"Vendor {vendor[:80]} is not valid")
        if _ACTION_NAME.fullmatch(name) is None:
            self.fail(LEGACY, f"action {action[:80]!r}")
        if rules.vendors is not None and vendor.lower() not in rules.vendors:
            self.fail(
                TRUST_ACTIONS if self.kind is Kind.TRUST else f"Vendor {vendor} is not valid",
                f"a {self.kind.value} policy has no actions of {vendor[:80]}",
            )

    def resource(self, resource: str) -> None:
        """``*`` or an ARN, which may break off after the service; in `NotResource` as well."""
        if resource == "*":
            return
        self.template(resource)
        parts = (without_variables(resource) if self.has_variables and "${" in resource else resource).split(":", 5)
        if len(parts) < 2 or parts[0] != "arn":
            self.fail(f'Resource {resource[:200]} must be in ARN format or "*".')
        partition, service = parts[1], parts[2] if len(parts) > 2 else ""
        if _PARTITION.fullmatch(partition) is None:
            shown = ":".join(part or "*" for part in [*parts[2:], "", "", "", ""][:4])
            self.fail(f'Partition "{partition[:80]}" is not valid for resource "arn:{partition[:80]}:{shown[:200]}".')
        if _VENDOR.fullmatch(service) is None:
            self.fail(RESOURCE_VENDOR, resource[:200])
        if service == "iam":
            self._iam_resource(resource, parts)

    def _iam_resource(self, resource: str, parts: list[str]) -> None:
        if len(parts) > 3 and parts[3]:
            self.fail(f"IAM resource {resource[:200]} cannot contain region information.")
        path = parts[5] if len(parts) > 5 else "*"
        # An account's root is not in IAM's own list of paths, but policies on AssumeRoot and GetAccountSummary name it.
        if path not in ("*", "root") and not path.startswith(_IAM_PATHS):
            self.fail(f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.', resource[:200])

    def template(self, text: str) -> None:
        """A text that may hold policy variables, if the document's version has them."""
        if self.has_variables and "${" in text:
            try:
                variable_keys(text)
            except VariableInvalid as error:
                self.fail(SYNTAX, f"no policy variable: {str(error)[:80]!r}")

    def condition_key(self, key: str) -> None:
        """Only that it names a service or issuer: keys that nobody knows are absent from every request."""
        if ":" not in key:
            self.fail(NO_VENDOR, f"condition key {key[:80]!r}")

    def aws_principal(self, name: str) -> tuple[str, str]:
        """What an `AWS` principal names: ("everyone", ""), ("account", id) or ("arn", ARN)."""
        if name == "*":
            return "everyone", ""
        if _ACCOUNT.fullmatch(name):
            return "account", name
        root = _ROOT.fullmatch(name)
        if root is not None:
            return "account", root[1]
        if len(name) > 2_048 or _PRINCIPAL.fullmatch(name) is None:
            self.fail(f'{INVALID_PRINCIPAL}: "AWS":"{name[:200]}"')
        return "arn", name

    def service_principal(self, name: str) -> None:
        """The name of a service."""
        if _SERVICE.fullmatch(name) is None:
            self.fail(f'{INVALID_PRINCIPAL}: "SERVICE":"{name[:200]}"')

    def federated_principal(self, name: str) -> None:
        """The ARN of an identity provider, or the name of one of those that are built in."""
        if _PROVIDER.fullmatch(name) is None:
            self.fail(f'{INVALID_PRINCIPAL}: "FEDERATED":"{name[:200]}"')
