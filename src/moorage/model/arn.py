"""ARNs of repositories. Source: AWS service authorization reference, "Resource types defined by Amazon ECR" and "... Registry
Public"::

arn:<partition>:ecr:<region>:<account>:repository/<name>
arn:aws:ecr-public::<account>:repository/<name>
"""

from __future__ import annotations

from moorage.model.errors import ArnInvalid, InvalidValue
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.scope import Scope, is_account_id


def parse_repository_arn(text: str) -> tuple[Scope, RepositoryName]:
    """Take the ARN of a repository apart. Raises ArnInvalid for anything else."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[5].startswith("repository/"):
        raise ArnInvalid(text[:200])
    is_public = parts[2:4] == ["ecr-public", ""] and is_account_id(parts[4])
    if parts[2] != "ecr" and not is_public:
        raise ArnInvalid(text[:200])
    try:
        scope = Scope.public(parts[4]) if is_public else Scope.of(parts[3], parts[4])
        name = parse_repository_name(parts[5].removeprefix("repository/"))
    except InvalidValue:
        raise ArnInvalid(text[:200]) from None
    if scope.partition != parts[1]:
        raise ArnInvalid(text[:200])
    return scope, name
