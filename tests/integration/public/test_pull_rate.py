"""How often one address may pull without a login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moorage.testing import builders
from moorage.testing.registry_client import Answer, RegistryClient, basic
from moorage.testing.server import MoorageServer

SLOW = ("--public-anonymous-pulls-per-second", "1", "--public-anonymous-pull-burst", "3")
MANY = 60
"""More than a bucket of three takes however slowly they come, one a second, in a test that is not itself slower."""


def publish(server: MoorageServer) -> str:
    """An image in a repository of the default account; its path."""
    uri = server.client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]
    path = str(uri.partition("/")[2])
    with server.public_registry() as publisher:
        publisher.push_image(path, builders.image(1), "v1")
    return path


def until_refused(pull: Callable[[], Answer]) -> Answer:
    """The first answer that is not a success."""
    for _ in range(MANY):
        answer = pull()
        if answer.status != 200:
            return answer
    raise AssertionError(f"{MANY} pulls were let through")


def test_pulls_of_an_address_are_counted(make_server: Any) -> None:
    server = make_server(options=SLOW)
    path = publish(server)
    with server.public_registry(anonymous=True) as anybody:
        for _ in range(MANY):  # these are no pulls
            assert anybody.head(f"/v2/{path}/manifests/v1").status == 200
            assert anybody.get(f"/v2/{path}/tags/list").status == 200
        refused = until_refused(lambda: anybody.get(f"/v2/{path}/manifests/v1"))
        assert (refused.status, refused.code, refused.message) == (429, "TOOMANYREQUESTS", "Rate exceeded")
        assert refused.header("Retry-After") == "1"
        assert anybody.get(f"/v2/{path}/blobs/{builders.image(1).layers[0]}").status == 200
    with server.public_registry() as publisher:  # who logs in is not counted
        for _ in range(10):
            assert publisher.get(f"/v2/{path}/manifests/v1").status == 200
    # The path of the plain host is no way around it, nor is an empty or a private login.
    with RegistryClient("127.0.0.1", server.port, None) as plain:
        for given in (basic("", ""), basic(server.password())):
            asked = f"/v2/public.localhost/{path}/manifests/v1"
            assert until_refused(lambda: plain.request("GET", asked, authorization=given)).status == 429  # noqa: B023
        # Whoever has said nothing may have a login, and only waits to be asked for it.
        refused = until_refused(lambda: plain.get(f"/v2/public.localhost/{path}/manifests/v1"))
        assert (refused.status, refused.code, refused.header("Retry-After")) == (401, "TOOMANYREQUESTS", "1")
        assert refused.header("WWW-Authenticate").startswith("Bearer ")


def test_a_proxy_is_believed_only_if_it_is_trusted(make_server: Any) -> None:
    for options, is_trusted in ((SLOW, False), ((*SLOW, "--trusted-proxies", "127.0.0.1"), True)):
        server = make_server(options=options)
        path = publish(server)
        with server.public_registry(anonymous=True) as anybody:

            def pull(address: str, client: RegistryClient = anybody, manifest: str = f"/v2/{path}/manifests/v1") -> Answer:
                return client.get(manifest, X_Forwarded_For=address)

            assert until_refused(lambda: pull("192.0.2.1")).status == 429
            statuses = {pull(f"198.51.100.{n}").status for n in range(1, 21)}
            assert statuses == {200} if is_trusted else 429 in statuses
            # What the client itself wrote before the proxy's entry does not count.
            assert until_refused(lambda: pull("203.0.113.9, 192.0.2.7")).status == 429
            if is_trusted:
                assert pull("192.0.2.8, 203.0.113.9").status == 200
