"""An identity provider on loopback: discovery, keys and tokens as real ones have them, by http or https with its own certificate.

It stands in for GitHub Actions, GitLab, Kubernetes and the like in tests and demonstrations. Keys can be rotated, answers
replaced by wrong ones, and requests are counted.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import json
import secrets
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


@dataclass(frozen=True, slots=True)
class IssuerAnswer:
    """What is sent for a path in place of the true answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long it is held back."""


def new_key(kind: str = "RS256") -> RSAKey | ECKey:
    """A fresh signing key with a ``kid``, for an algorithm of that family."""
    parameters: Any = {"kid": secrets.token_hex(8), "use": "sig"}
    if kind.startswith("ES"):
        return ECKey.generate_key("P-256" if kind == "ES256" else "P-384", parameters)
    return RSAKey.generate_key(2048, parameters)


def sign(key: Any, claims: Mapping[str, Any], algorithm: str = "RS256", **header: Any) -> str:
    """A token with these claims; `header` adds to or replaces fields of the header, None leaves one out."""
    fields = {"alg": algorithm, "typ": "JWT", "kid": key.kid, **header}
    protected = {name: value for name, value in fields.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 16_384
    return jws.serialize_compact(protected, json.dumps(claims), key, registry=registry)


class OidcIssuer:
    """A running provider. Use it as a context manager.

    Args:
        tls: serve https with a certificate that it makes itself; `thumbprint` is its SHA-1.
        path: of the issuer's URL, such as ``/tenant``.
    """

    def __init__(self, *, tls: bool = False, path: str = "") -> None:
        self.requests: Counter[str] = Counter()
        """How often each path was asked for."""
        self.answers: dict[str, IssuerAnswer] = {}
        """Paths that are answered otherwise."""
        self.keys: list[RSAKey | ECKey] = [new_key()]
        """Those that it publishes; the first one signs."""
        self.discovery: dict[str, Any] = {}
        """Fields that replace those of the discovery document."""
        self.thumbprint = ""
        self.path = path
        self._server = _server(self)
        scheme = "https" if tls else "http"
        if tls:
            context, self.thumbprint = _own_certificate()
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.origin = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The issuer, as tokens name it."""
        return self.origin + self.path

    @property
    def provider(self) -> str:
        """The issuer without its scheme, as ARNs and condition keys name it."""
        return self.url.partition("://")[2]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rotate(self, algorithm: str = "RS256", *, keep: int = 0) -> None:
        """Sign with a new key from now on and withdraw all but `keep` of the older ones."""
        self.keys[:] = [new_key(algorithm), *self.keys[:keep]]

    def claims(self, subject: str = "subject-1", **claims: Any) -> dict[str, Any]:
        """The claims of a token that is good for five minutes; None leaves one out."""
        now = int(time.time())
        merged = {"iss": self.url, "sub": subject, "aud": "sts.amazonaws.com", "iat": now, "nbf": now, "exp": now + 300, **claims}
        return {name: value for name, value in merged.items() if value is not None}

    def token(self, subject: str = "subject-1", algorithm: str = "RS256", **claims: Any) -> str:
        """A token as the provider makes them."""
        return sign(self.keys[0], self.claims(subject, **claims), algorithm)

    def github_token(self, repository: str = "acme/app", ref: str = "refs/heads/main", **claims: Any) -> str:
        """A token in the form of GitHub Actions. Source: its documentation, "About security hardening with OpenID Connect"."""
        owner = repository.partition("/")[0]
        named = {
            "jti": secrets.token_hex(8),
            "ref": ref,
            "ref_type": "branch",
            "repository": repository,
            "repository_owner": owner,
            "repository_visibility": "private",
            "actor": "octocat",
            "event_name": "push",
            "workflow": "build",
            "job_workflow_ref": f"{repository}/.github/workflows/build.yml@{ref}",
            "run_id": "1234567890",
            "runner_environment": "github-hosted",
        }
        return self.token(f"repo:{repository}:ref:{ref}", **{**named, **claims})

    def gitlab_token(self, project: str = "group/app", ref: str = "main", **claims: Any) -> str:
        """A token in the form of GitLab CI. Source: its documentation, "ID token authentication"."""
        named = {
            "jti": secrets.token_hex(8),
            "project_path": project,
            "namespace_path": project.rpartition("/")[0],
            "ref": ref,
            "ref_type": "branch",
            "ref_protected": "true",
            "pipeline_source": "push",
            "user_login": "ann",
            "aud": self.url,
        }
        return self.token(f"project_path:{project}:ref_type:branch:ref:{ref}", **{**named, **claims})

    def kubernetes_token(self, namespace: str = "default", account: str = "builder", **claims: Any) -> str:
        """A projected token of a service account. Source: Kubernetes, "Managing Service Accounts"."""
        named = {
            "aud": ["sts.amazonaws.com"],
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account, "uid": secrets.token_hex(8)}},
        }
        return self.token(f"system:serviceaccount:{namespace}:{account}", **{**named, **claims})

    def document(self, path: str) -> bytes | None:
        """The true answer for a path."""
        if path == self.path + DISCOVERY:
            found = {
                "issuer": self.url,
                "jwks_uri": self.url + JWKS,
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
            return json.dumps({**found, **self.discovery}).encode()
        if path == self.path + JWKS:
            return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()
        return None


def _server(issuer: OidcIssuer) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests[self.path] += 1
            answer = issuer.answers.get(self.path)
            if answer is None:
                body = issuer.document(self.path)
                answer = IssuerAnswer(404) if body is None else IssuerAnswer(200, body, {"Content-Type": "application/json"})
            time.sleep(answer.seconds)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that leave are part of the tests

    return Server(("127.0.0.1", 0), Handler)


def _own_certificate() -> tuple[ssl.SSLContext, str]:
    """A certificate that signs itself, loaded, and its SHA-1 in hexadecimal."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of the tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "own.pem"
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(file)
    thumbprint = hashlib.sha1(certificate.public_bytes(serialization.Encoding.DER), usedforsecurity=False).hexdigest()
    return context, thumbprint


def forged(token: str, **header: Any) -> str:
    """`token` with fields of its header replaced and its signature kept."""
    head, _, rest = token.partition(".")
    fields = {**json.loads(base64.urlsafe_b64decode(head + "==")), **header}
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode() + "." + rest
