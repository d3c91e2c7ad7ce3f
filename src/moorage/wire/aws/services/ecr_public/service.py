"""ECR Public as a service: its own operations, and those that it has in common with ECR, done by ECR's handlers.

Before any handler: the API is offered in the regions of ECR Public only, and a registry that is named by its alias is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from moorage.model.errors import AccountNotFound, RepositoryNotFound, Unsupported
from moorage.model.scope import PUBLIC_REGIONS, is_account_id
from moorage.operations.public import registries
from moorage.wire.aws.service import Call, Handler, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext
from moorage.wire.aws.services.ecr.errors import ECR


class PublicService(Service):
    """``Service("ecr-public")`` whose handlers find an account id in `registryId`, if they find anything."""

    def __init__(self, context: EcrContext) -> None:
        super().__init__("ecr-public", ECR)
        self._context = context

    def operation(self, name: str) -> Callable[[Handler], Handler]:
        """As of any service. Raises ModelMissing."""
        register = super().operation(name)

        def wrap(handler: Handler) -> Handler:
            async def handle(call: Call) -> Output:
                return await handler(await self._prepared(call))

            return register(handle)

        return wrap

    async def _prepared(self, call: Call) -> Call:
        """The call as handlers take it.

        Raises:
            Unsupported: another region was signed for.
            AccountNotFound, RepositoryNotFound: no public registry has that name; which one the operation's model decides.
        """
        if call.region not in PUBLIC_REGIONS:
            raise Unsupported(f"ECR Public is not available in {call.region[:40]}: use us-east-1.")
        named = call.get("registryId")
        if named is None or named == call.signer.account_id:
            return call
        account = await self._context.db.lookup(registries.account_of, named)
        if account is None:
            if "RegistryNotFoundException" in self.plan.operations[call.operation].error_codes:
                raise AccountNotFound(named)
            if not is_account_id(named):
                raise RepositoryNotFound(named, call.get("repositoryName", ""))
            return call  # of another account that has none: nobody can have been allowed anything there
        return replace(call, params={**call.params, "registryId": account})


class Shared(Service):
    """Where ECR's handlers are registered a second time: those that ECR Public has too, and has no own handler for."""

    def __init__(self, public: PublicService) -> None:
        super().__init__("ecr-public", ECR)
        self._public = public

    def operation(self, name: str) -> Callable[[Handler], Handler]:
        """Register with the public service, or not at all."""
        if name not in self.plan.operations or name in self._public.handlers:
            return lambda handler: handler
        return self._public.operation(name)
