"""Stored policy texts made ready for decisions: a text always compiles to the same thing, so what was compiled is kept by it.

Every text was checked when it was stored. One that cannot be read all the same (damage, a rule that has become stricter) denies
everything in its place: to leave it out could drop a Deny.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from moorage.model.errors import MalformedPolicy
from moorage.policy.compile import CompiledPolicy, PolicySet, Source, compile_policy
from moorage.policy.document import Kind
from moorage.policy.parse import parse

_UNREADABLE = "a policy that cannot be read"
_DENIES_ALL = {
    Kind.IDENTITY: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}',
    Kind.REPOSITORY: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}',
    Kind.PUBLIC_REPOSITORY: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}',
    Kind.TRUST: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:*"}}',
    Kind.REGISTRY: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}',
}


@lru_cache(16_384)
def compiled(text: str, kind: Kind, source: Source) -> CompiledPolicy:
    """A policy without principals."""
    try:
        return compile_policy(parse(text, kind), source)
    except MalformedPolicy:
        return compile_policy(parse(_DENIES_ALL[Kind.IDENTITY], Kind.IDENTITY), Source(_UNREADABLE))


@lru_cache(16_384)
def resource_policies(text: str, bindings: str | None, kind: Kind, source: str) -> PolicySet:
    """A repository's, a registry's or a role's policy. `bindings` is JSON: the unique ids of its principals by their ARNs."""
    known = Source(source, type="resource")
    try:
        return PolicySet([compile_policy(parse(text, kind), known, bindings=json.loads(bindings or "{}"))])
    except (MalformedPolicy, ValueError):
        return PolicySet([compile_policy(parse(_DENIES_ALL[kind], kind), Source(_UNREADABLE, type="resource"))])


@lru_cache(2048)
def _set_of(policies: tuple[CompiledPolicy, ...]) -> PolicySet:
    return PolicySet(policies)


def policy_set(policies: Iterable[CompiledPolicy]) -> PolicySet:
    """The union of policies; what one union has learned of requests serves whoever has the same policies."""
    return _set_of(tuple(policies))
