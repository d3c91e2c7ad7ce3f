"""``moorage explain`` and ``moorage who-can``: who may do what, and why. They read only, and work beside a running server."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moorage.cli.exits import DONE, NO, USAGE, fail
from moorage.cli.installed import opened
from moorage.cli.options import INSTALLATION, with_settings
from moorage.cli.output import show, with_output
from moorage.model.errors import InvalidValue
from moorage.model.scope import Scope
from moorage.server.settings import Loaded, Settings

if TYPE_CHECKING:
    from moorage.operations.access.who_can import Holder, Holders

_as_json = click.option("--json", "as_json", is_flag=True, help="the same as --output json")


def scope_of(settings: Settings, account: str | None = None) -> Scope:
    """The registry of an account, by default the default one, in the default region."""
    try:
        return Scope.of(settings.region, account or settings.account_id)
    except InvalidValue as error:
        fail(f"{error.value}: {error.reason}", USAGE)


@click.command()
@click.option("--principal", required=True, metavar="ARN", help="user, role, session, federated user or root (also 12 digits)")
@click.option("--action", required=True, metavar="ACTION", help="such as ecr:BatchGetImage")
@click.option("--resource", default="*", metavar="ARN", help="also the name of a repository; left out: the action has none")
@click.option("--context", "pairs", multiple=True, metavar="KEY=VALUE", help="condition key of the request; may be repeated")
@click.option("--session-policy", type=click.Path(path_type=Path), default=None, help="file with a policy of the session")
@click.option("--federated-by", default=None, metavar="ARN", help="of a federated user: who called GetFederationToken")
@_as_json
@with_output
@with_settings(*INSTALLATION, "account_id", "region")
def explain(
    loaded: Loaded,
    principal: str,
    action: str,
    resource: str,
    pairs: tuple[str, ...],
    session_policy: Path | None,
    federated_by: str | None,
    as_json: bool,
    form: str,
) -> None:
    """Say whether a principal may do something now, and why. Exit status 0: it may; 1: it may not; 252: wrong input."""
    from moorage.operations.access.explaining import explain_access
    from moorage.operations.access.principals import QuestionInvalid
    from moorage.policy.explain import to_dict, to_text

    context = _context(pairs)
    text = None if session_policy is None else read_file(session_policy)
    here = scope_of(loaded.settings)
    with opened(loaded) as installation:
        try:
            found = installation.db.run_read(explain_access, principal, action, resource, here, context, text, federated_by)
        except QuestionInvalid as error:
            fail(str(error), USAGE)
    row = {"principal": principal, "action": action, "resource": resource, "allowed": found.decision.allowed}
    show("json" if as_json else form, to_dict(found), lambda: to_text(found), [row])
    sys.exit(DONE if found.decision.allowed else NO)


@click.command("who-can")
@click.argument("action")
@click.argument("repository")
@click.option(
    "--account", "owner", default=None, metavar="ID", help="whose registry, in --region; the default account's if left out"
)
@_as_json
@with_output
@with_settings(*INSTALLATION, "account_id", "region")
def who_can(loaded: Loaded, action: str, repository: str, owner: str | None, as_json: bool, form: str) -> None:
    """List who may do ACTION on REPOSITORY now, and by which statement. Exit status 252: wrong input."""
    from moorage.operations.access import who_can as holders
    from moorage.operations.access.principals import QuestionInvalid

    scope = scope_of(loaded.settings, owner)
    with opened(loaded) as installation:
        try:
            found = installation.db.run_read(holders.who_can, action, scope, repository)
        except QuestionInvalid as error:
            fail(str(error), USAGE)
    data = _answer_dict(found)
    show("json" if as_json else form, data, lambda: _answer_text(found), data["principals"])


def read_file(path: Path) -> str:
    """The text of a file that was named."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: {error.strerror if isinstance(error, OSError) else 'not UTF-8'}", USAGE)


def _context(pairs: tuple[str, ...]) -> dict[str, str | tuple[str, ...]]:
    values: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or ":" not in key:
            fail(f"--context {pair}: it has to be KEY=VALUE, such as aws:SourceIp=10.0.0.1", USAGE)
        values[key].append(value)
    return {key: found[0] if len(found) == 1 else tuple(found) for key, found in values.items()}


def _answer_dict(answer: Holders) -> dict[str, Any]:
    from moorage.policy.explain import origin_dict

    return {
        "action": answer.action,
        "resource": answer.resource,
        "principals": [
            {
                "principal": holder.arn,
                "kind": holder.kind,
                "statement": None if holder.origin is None else origin_dict(holder.origin),
                "dependsOn": list(holder.unknown_keys),
                "needsOwnSide": holder.needs_own_side,
            }
            for holder in answer.holders
        ],
    }


def _answer_text(answer: Holders) -> str:
    groups = (
        ("may", [each for each in answer.holders if not each.unknown_keys and not each.needs_own_side]),
        ("may, depending on the request", [each for each in answer.holders if each.unknown_keys and not each.needs_own_side]),
        ("are let in, if their own account allows it as well", [each for each in answer.holders if each.needs_own_side]),
    )
    lines = [f"{answer.action} on {answer.resource}"]
    for title, found in groups:
        if found:
            lines.append(f"{title}:")
            lines += [f"  {_holder_text(holder)}" for holder in found]
    return "\n".join(lines)


def _holder_text(holder: Holder) -> str:
    from moorage.policy.explain import origin_text

    by = "the account's root" if holder.origin is None else origin_text(holder.origin)
    condition = f", depending on {', '.join(holder.unknown_keys)}" if holder.unknown_keys else ""
    return f"{'everybody' if holder.arn == '*' else holder.arn}  by {by}{condition}"
