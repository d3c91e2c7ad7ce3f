"""Pushes to repositories that are not there: they are created first, where a template wants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from moorage.keys.registry_keys import LocalKeyring
from moorage.metadata.database import Database
from moorage.model.errors import DomainError, RepositoryExists, RepositoryNotFound
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.repository.create_on_push import TemplateUnusable, create_on_push

T = TypeVar("T")


async def pushing(
    db: Database, keyring: LocalKeyring, caller: Caller, scope: Scope, name: RepositoryName, push: Callable[[], Awaitable[T]]
) -> T:
    """The outcome of `push`, which is tried again if it raised RepositoryNotFound and a template has created the repository.

    Whatever stands against creating it, the pusher is told that it is not there, as without a template. Whoever may create it
    also learns why its template could not.
    """
    try:
        return await push()
    except RepositoryNotFound as missing:
        try:
            await db.write(create_on_push, keyring, caller, scope, name)
        except RepositoryExists:
            pass
        except TemplateUnusable as unusable:
            raise RepositoryNotFound(scope.registry_id, name, str(unusable)) from None
        except DomainError:
            raise missing from None
        return await push()
