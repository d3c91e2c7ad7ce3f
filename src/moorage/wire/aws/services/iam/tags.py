"""Tags of everything in IAM that has some."""

from __future__ import annotations

from moorage.operations.identity import tags
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext, pairs

_MEMBERS = {
    "User": "UserName",
    "Role": "RoleName",
    "Policy": "PolicyArn",
    "InstanceProfile": "InstanceProfileName",
    "OpenIDConnectProvider": "OpenIDConnectProviderArn",
    "SAMLProvider": "SAMLProviderArn",
    "MFADevice": "SerialNumber",
}
"""By noun: the member that names what has the tags."""


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    for noun in tags.TAGGED:
        _register(service, context, noun, _MEMBERS[noun])


def _register(service: Service, context: IamContext, noun: str, member: str) -> None:
    @service.operation(f"Tag{noun}")
    async def tag(call: Call) -> Output:
        await context.db.write(tags.tag, caller_of(call), noun, call[member], pairs(call["Tags"]))
        return {}

    @service.operation(f"Untag{noun}")
    async def untag(call: Call) -> Output:
        await context.db.write(tags.untag, caller_of(call), noun, call[member], call["TagKeys"])
        return {}

    @service.operation(f"List{noun}Tags")
    async def list_tags(call: Call) -> Output:
        after, count = context.page_asked(call)
        page = await context.db.read(tags.list_tags, caller_of(call), noun, call[member], after, count)
        return {"Tags": shown.tag_list(dict(page.items)), **context.page_shown(call, page)}
