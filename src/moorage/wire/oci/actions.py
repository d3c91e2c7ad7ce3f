"""As which operation a request below /v2/ counts: one for each route, the first one that the route asks for. Source: ECR User
Guide, "Private registry authentication" and the push and pull permissions; ECR Public, service quotas."""

from __future__ import annotations

from moorage.model.rates import ANONYMOUS, RequestKey
from moorage.model.scope import PUBLIC_HOME
from moorage.wire.oci.router import Route

OPERATIONS: dict[tuple[str, str], str] = {
    ("catalog", "GET"): "DescribeRepositories",
    ("tags", "GET"): "ListImages",
    ("referrers", "GET"): "BatchGetImage",
    ("manifest", "GET"): "BatchGetImage",
    ("manifest", "HEAD"): "BatchGetImage",
    ("manifest", "PUT"): "PutImage",
    ("manifest", "DELETE"): "BatchDeleteImage",
    ("blob", "GET"): "GetDownloadUrlForLayer",
    ("blob", "HEAD"): "BatchCheckLayerAvailability",
    ("blob", "DELETE"): "BatchDeleteImage",
    ("uploads", "POST"): "InitiateLayerUpload",
    ("upload", "PATCH"): "UploadLayerPart",
    ("upload", "PUT"): "CompleteLayerUpload",
    ("upload", "GET"): "UploadLayerPart",
    ("upload", "DELETE"): "InitiateLayerUpload",
}
"""By kind of route and method. What is not here (``GET /v2/``) is no operation, and is not counted."""

_PRIVATE = {route: f"ecr:{name}" for route, name in OPERATIONS.items()}
_PUBLIC = {route: f"ecr-public:{name}" for route, name in OPERATIONS.items()}


def request_key(account_id: str, region: str, route: Route, method: str) -> RequestKey | None:
    """Whose request it is, by the account of the caller (empty: nobody's) and the registry's region (empty: a public one)."""
    operation = (_PRIVATE if region else _PUBLIC).get((route.kind, method))
    return None if operation is None else (account_id or ANONYMOUS, region or PUBLIC_HOME, operation)
