"""From a URL to a store.

``/path`` or ``file:///path``: a folder. ``s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1&path_style=true``: a
bucket; all parameters may be left out. Path style is the default where an endpoint is given; ``retry_seconds`` (30) is how long
requests that fail are tried again. Credentials are never in the URL,
which ends up in logs: they come from the AWS_* variables, a web identity, the container or the instance.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from moorage.storage.blob_store import BlobStore
from moorage.storage.local import LocalStore

_PARAMETERS = frozenset({"endpoint", "region", "path_style", "retry_seconds"})
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def open_store(url: str, environment: Mapping[str, str] = os.environ) -> BlobStore:
    """Open the store at `url`.

    Raises:
        ValueError: the URL is not of a form that is known; the message says which part.
        StoreUnavailable: the folder cannot be used (a bucket is first asked by `check`).
    """
    parts = urlsplit(url)
    if parts.scheme == "":
        return LocalStore(Path(url))
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query:
            raise ValueError("a folder is file:///path, with three slashes and no parameters")
        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from moorage.storage.s3 import RETRY_SECONDS, S3Location, S3Store

        if "@" in parts.netloc:
            raise ValueError("credentials do not belong into the URL of a store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        if not parts.netloc:
            raise ValueError("the URL of a bucket is s3://bucket/prefix")
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        if unknown := parameters.keys() - _PARAMETERS:
            raise ValueError(f"unknown parameter of an s3:// URL: {min(unknown)}; known are {', '.join(sorted(_PARAMETERS))}")
        endpoint = parameters.get("endpoint") or environment.get("AWS_ENDPOINT_URL_S3")
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise ValueError("the endpoint of an S3 service starts with http:// or https://")
        path_style = parameters.get("path_style", "true" if endpoint else "false").lower()
        if path_style not in _TRUTH:
            raise ValueError("path_style is true or false")
        retry_seconds = parameters.get("retry_seconds", str(RETRY_SECONDS))
        if not (retry_seconds.isascii() and retry_seconds.isdigit() and len(retry_seconds) <= 4):
            raise ValueError("retry_seconds is a number of seconds")
        bundle = environment.get("AWS_CA_BUNDLE")
        return S3Store(
            S3Location(
                bucket=parts.netloc,
                prefix=unquote(parts.path).strip("/"),
                endpoint=endpoint.rstrip("/") if endpoint else None,
                region=parameters.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
                path_style=_TRUTH[path_style],
                access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
                secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
                session_token=environment.get("AWS_SESSION_TOKEN"),
                retry_seconds=int(retry_seconds),
                root_certificate=Path(bundle).read_text() if bundle else None,
            )
        )
    raise ValueError(f"no blob store has URLs that begin with {parts.scheme}:")
