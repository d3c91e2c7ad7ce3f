"""Pushes to repositories that are not there: they are created first, where a template wants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.model.errors import DomainError, KeyUnusable, RepositoryExists, RepositoryNotFound
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.repository.create_on_push import TemplateUnusable, create_on_push
from moorage.transfer.creating import with_seal_key

T = TypeVar("T")


async def pushing(
    db: Database, keys: DataKeys, caller: Caller, scope: Scope, name: RepositoryName, push: Callable[[], Awaitable[T]]
) -> T:
    """The outcome of `push`, which is tried again if it raised RepositoryNotFound and a template has created the repository.

    Whatever stands against creating it, the pusher is told that it is not there, as without a template. Whoever may create it
    also learns why its template could not, and that there is no key to seal it with.
    """
    try:
        return await push()
    except RepositoryNotFound as missing:
        try:
            await with_seal_key(keys, lambda seal_key: db.write(create_on_push, caller, scope, name, seal_key))
        except RepositoryExists:
            pass
        except TemplateUnusable as unusable:
            raise RepositoryNotFound(scope.registry_id, name, str(unusable)) from None
        except KeyUnusable:
            raise
        except DomainError:
            raise missing from None
        return await push()
