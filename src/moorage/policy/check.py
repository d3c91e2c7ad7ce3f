"""A policy's text examined for its author: everything that is wrong with it, and where; else what is probably not meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from moorage.model.errors import MalformedPolicy
from moorage.policy import sizes
from moorage.policy.document import Kind
from moorage.policy.findings import findings
from moorage.policy.jsontext import JsonInvalid, Span, read_json, statement_spans
from moorage.policy.parse import parse

_JSON_LINE = re.compile(r": line ([0-9]+) column")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend (an error: the policy would be refused) or to look at."""

    line: int
    """Counts from 1; 1 for what is wrong with the whole."""
    is_error: bool
    text: str


def check_policy(text: str, kind: Kind) -> list[Problem]:
    """Errors in the order of the text; findings if there are none."""
    errors = list(_errors(text, kind))
    if errors:
        return errors
    policy = parse(text, kind)
    spans = statement_spans(text)
    return [
        Problem(1 if found.statement is None else spans[found.statement].start_line, False, f"{found.code.value}: {found.detail}")
        for found in findings(policy)
    ]


def _errors(text: str, kind: Kind) -> Iterator[Problem]:
    size, limit = sizes.counted_size(text, kind), sizes.size_limit(kind)
    try:
        parse(text, kind)
    except MalformedPolicy as whole:
        found = list(_by_statement(text, kind))
        yield from found or [Problem(_line_of(whole), True, _told(whole))]
    if size > limit:
        yield Problem(1, True, f"{size} characters, where {kind.value} policies have {limit} at most")


def _by_statement(text: str, kind: Kind) -> Iterator[Problem]:
    """What is wrong with each statement when it stands alone in the document."""
    try:
        document = read_json(text)
    except JsonInvalid:
        return
    statements = document.get("Statement") if isinstance(document, dict) else None
    if not isinstance(statements, dict | list):
        return
    version = document.get("Version")
    head = f'{{"Version": {json.dumps(version)}, "Statement": ' if isinstance(version, str) else '{"Statement": '
    try:
        parse(f"{head}[]}}", kind)
    except MalformedPolicy:
        return  # it is not the statements that are wrong
    for index, span in enumerate(statement_spans(text)):
        try:
            parse(f"{head}{_cut(text, span)}}}", kind)
        except MalformedPolicy as error:
            yield Problem(span.start_line, True, _told(error).replace("statement 1", f"statement {index + 1}", 1))


def _cut(text: str, span: Span) -> str:
    lines = text.split("\n")[span.start_line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.start_column - 1 :]
    return "\n".join(lines)


def _told(error: MalformedPolicy) -> str:
    return f"{error} ({error.detail})" if error.detail else str(error)


def _line_of(error: MalformedPolicy) -> int:
    found = _JSON_LINE.search(error.detail)
    return int(found[1]) if found else 1
