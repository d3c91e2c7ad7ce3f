"""docs/reference/routes.md: what is served below /v2/ and beside it, and the rights that it takes."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.testing.reference.markdown import code, document, table
from moorage.wire.oci.app import ROUTES

PATHS = {
    "base": "/v2/",
    "catalog": "/v2/_catalog",
    "tags": "/v2/<name>/tags/list",
    "referrers": "/v2/<name>/referrers/<digest>",
    "manifest": "/v2/<name>/manifests/<reference>",
    "blob": "/v2/<name>/blobs/<digest>",
    "uploads": "/v2/<name>/blobs/uploads/",
    "upload": "/v2/<name>/blobs/uploads/<upload>",
}
"""By kind of route: its path."""


@dataclass(frozen=True, slots=True)
class Need:
    """The IAM actions that a route needs, on the repository's ARN, and what is particular about it."""

    actions: tuple[str, ...]
    note: str = ""


_LAYER, _CHECK = "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"
_INITIATE, _UPLOAD, _COMPLETE = "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"

NEEDS: dict[tuple[str, str], Need] = {
    ("base", "GET"): Need((), "a token that counts is enough"),
    ("base", "HEAD"): Need((), "the same"),
    ("catalog", "GET"): Need(("ecr:DescribeRepositories",), "on every repository of the registry; `n`, `last`"),
    ("tags", "GET"): Need(("ecr:ListImages",), "`n`, `last`"),
    ("referrers", "GET"): Need(("ecr:BatchGetImage",), "`artifactType`"),
    ("manifest", "GET"): Need(("ecr:BatchGetImage",), "counts as a pull"),
    ("manifest", "HEAD"): Need(("ecr:BatchGetImage",), "does not count as a pull"),
    ("manifest", "PUT"): Need(("ecr:PutImage",), "by digest also with up to 20 `tag` parameters"),
    ("manifest", "DELETE"): Need(("ecr:BatchDeleteImage",), "a tag: that tag; a digest: the image and its tags"),
    ("blob", "GET"): Need((_LAYER,), "one range may be asked for"),
    ("blob", "HEAD"): Need((_CHECK, _LAYER), "either is enough"),
    ("blob", "DELETE"): Need(("ecr:BatchDeleteImage",), "refused while an image of the repository names the blob"),
    ("uploads", "POST"): Need(
        (_INITIATE,),
        f"with `digest` (the whole blob in one request) also `{_UPLOAD}` and `{_COMPLETE}`; with `mount` and `from` also "
        f"`{_LAYER}` on the other repository, and where that is missing an upload starts instead",
    ),
    ("upload", "PATCH"): Need((_UPLOAD,)),
    ("upload", "PUT"): Need((_COMPLETE,), f"with a body also `{_UPLOAD}`"),
    ("upload", "GET"): Need((_UPLOAD,), "how many bytes are there"),
    ("upload", "DELETE"): Need((_INITIATE,), "ends the upload"),
}
"""By route, as `ROUTES` names them. A test asks a server as a stranger and compares what it was refused for."""

_BESIDE = [
    ("GET", "/token", "Basic credentials", "the same token in the form of Docker's token service (`bearer_challenge`)"),
    ("GET, HEAD", "/layers/<repository>/<digest>", "a signed link of `GetDownloadUrlForLayer`", "the layer"),
    ("GET", "/token/", "Basic credentials, or none", "a token of the [public registries](../how-to/public-registry.md)"),
    ("GET, HEAD", "/logos/<registry>/<repository>", "nothing", "the logo of a public repository"),
    ("POST, GET", "/", "SigV4", "the [AWS API](operations.md)"),
    ("GET", "/healthz", "nothing", "200 while the process lives"),
    ("GET", "/readyz", "nothing", "200 while database and blob store answer and have room, else 503"),
    ("GET", "/metrics", "nothing", "figures for Prometheus"),
]


def page() -> str:
    """The page."""
    rows = []
    for kind, method in ROUTES:
        need = NEEDS[kind, method]
        joined = " or " if (kind, method) == ("blob", "HEAD") else ", "
        rows.append([method, code(PATHS[kind]), joined.join(code(action) for action in need.actions) or "none", need.note])
    return document(
        "Routes",
        "The user of the Basic credentials is `AWS`, the password a token of `GetAuthorizationToken`. The host chooses the "
        "[registry](../how-to/accounts-and-regions.md). What is refused, and how: [errors](errors.md).",
        "## The registry API",
        table(["method", "path", "IAM action", ""], rows),
        "A method that a path does not have is answered 405 with `Allow`.",
        "## Beside it",
        table(
            ["method", "path", "authenticated by", "answer"],
            [[method, code(path), by, what] for method, path, by, what in _BESIDE],
        ),
    )
