"""``make demo``: the path of getting started, walked against a throw-away server, without docker if need be.

Each step is shown as the command that a user would type, with its answer shortened. It ends by itself: status 0 if every step
did what it should, 1 with a message if one did not. Server and data are gone afterwards, also after Ctrl-C.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from moorage.testing import builders, demo_clients
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer

_KEY = re.compile(r"account ([0-9]{12}) .*?AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)", re.DOTALL)
_LAYERS, _LAYER_BYTES = 3, 300_000
_SHOWN_CHARACTERS = 110
_INTERRUPTED = 130


class DemoFailed(Exception):
    """An answer that is not what it should be; the message says which."""


class Walk:
    """One walk along the path: what the steps share."""

    def __init__(self, server: MoorageServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.image = builders.image(1, layers=_LAYERS, layer_bytes=_LAYER_BYTES)
        self.step = "start"
        self.steps = 0

    def title(self, text: str) -> None:
        """Begin a step."""
        self.step = text
        self.steps += 1
        click.secho(f"\n{self.steps}. {text}", bold=True)

    @property
    def ecr(self) -> Any:
        """boto3's client of the registry's API."""
        return self.server.client()

    def registry(self) -> RegistryClient:
        """A client of /v2/ with a fresh token."""
        return self.server.registry()


def command(text: str) -> None:
    """Show what a user would type."""
    click.echo(f"   $ {text}")


def answer(text: str) -> None:
    """Show what came back."""
    for line in text.splitlines():
        click.echo(f"     {line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 4] + ' ...'}")


def shown(value: Mapping[str, Any]) -> None:
    """Show an answer of the API, without what boto3 adds."""
    for name, member in value.items():
        if name != "ResponseMetadata":
            answer(f"{name}: {member if isinstance(member, str) else json.dumps(member, default=str)}")


def require(*, right: bool, otherwise: str) -> None:
    """Go on only if something is as it should be. Raises DemoFailed."""
    if not right:
        raise DemoFailed(otherwise)


def _start(walk: Walk) -> None:
    walk.title("Start the server on an empty folder")
    server = walk.server
    server.start()
    command(f"moorage serve --listen {server.host} --data {server.data}")
    printed = _KEY.search(server.output)
    if printed is None:
        raise DemoFailed(f"the first start printed no key: {server.output!r}")
    server.root = KeyPair(*printed.groups())
    answer(server.output.partition("\n")[0])
    command(f"export AWS_ACCESS_KEY_ID={server.root.access_key_id} AWS_SECRET_ACCESS_KEY={server.root.secret}")
    command(f"export AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL={server.endpoint}")


def _identity(walk: Walk) -> None:
    walk.title("Who am I?")
    command("aws sts get-caller-identity")
    told = walk.server.client("sts").get_caller_identity()
    shown(told)
    require(right=told["Account"] == walk.server.root.account_id, otherwise="another account than that of the key")


def _repository(walk: Walk) -> None:
    walk.title("Make a repository")
    command("aws ecr create-repository --repository-name hello")
    made = walk.ecr.create_repository(repositoryName="hello")["repository"]
    shown({name: made[name] for name in ("repositoryArn", "repositoryUri")})
    require(right=made["repositoryUri"] == f"{walk.server.host}/hello", otherwise="repositoryUri is not where the server listens")


def _token(walk: Walk) -> None:
    walk.title("Get a token for docker and its kind")
    command("aws ecr get-authorization-token")
    (data,) = walk.ecr.get_authorization_token()["authorizationData"]
    shown({**data, "authorizationToken": f"{data['authorizationToken'][:40]} ... ({len(data['authorizationToken'])} characters)"})


def _push(walk: Walk) -> None:
    walk.title("Push an image with the AWS API alone")
    for number, (digest, data) in enumerate(walk.image.blobs.items()):
        upload = walk.ecr.initiate_layer_upload(repositoryName="hello")["uploadId"]
        last = len(data) - 1
        walk.ecr.upload_layer_part(
            repositoryName="hello", uploadId=upload, partFirstByte=0, partLastByte=last, layerPartBlob=data
        )
        done = walk.ecr.complete_layer_upload(repositoryName="hello", uploadId=upload, layerDigests=[digest])
        require(right=done["layerDigest"] == digest, otherwise=f"the layer {digest} was stored as {done['layerDigest']}")
        if number == 0:
            command("aws ecr initiate-layer-upload --repository-name hello")
            command(
                f"aws ecr upload-layer-part --repository-name hello --upload-id {upload} --part-first-byte 0 "
                f"--part-last-byte {last} --layer-part-blob fileb://layer"
            )
            command(f"aws ecr complete-layer-upload --repository-name hello --upload-id {upload} --layer-digests {digest}")
    answer(f"{len(walk.image.blobs)} blobs, {sum(map(len, walk.image.blobs.values())):,} bytes")
    command("aws ecr put-image --repository-name hello --image-tag v1 --image-manifest file://manifest.json")
    put = walk.ecr.put_image(repositoryName="hello", imageTag="v1", imageManifest=walk.image.manifest.decode())["image"]
    shown(put["imageId"])
    require(
        right=put["imageId"]["imageDigest"] == walk.image.digest, otherwise="the image has another digest than it was built with"
    )


def _list(walk: Walk) -> None:
    walk.title("Look at it")
    command("aws ecr list-images --repository-name hello")
    listed = walk.ecr.list_images(repositoryName="hello")
    shown(listed)
    expected = [{"imageDigest": walk.image.digest, "imageTag": "v1"}]
    require(right=listed["imageIds"] == expected, otherwise=f"expected {expected}")
    command("aws ecr describe-images --repository-name hello")
    (detail,) = walk.ecr.describe_images(repositoryName="hello")["imageDetails"]
    shown({name: detail[name] for name in ("imageTags", "imageSizeInBytes", "imagePushedAt", "imageManifestMediaType")})


def _clients(walk: Walk) -> None:
    walk.title("Push and pull with real clients")
    site = demo_clients.Site(walk.folder, walk.server.host, walk.server.password(), walk.image, say=command)
    for client in demo_clients.CLIENTS:
        reason = client.why_not(site)
        if reason:
            answer(f"{client.name}: left out, {reason}")
            continue
        client.push_and_pull(site)
        (found,) = walk.ecr.describe_images(repositoryName="hello", imageIds=[{"imageTag": client.name}])["imageDetails"]
        answer(f"{client.name}: pushed and pulled {found['imageDigest']}")


def _pull(walk: Walk) -> None:
    walk.title("Pull by digest and compare every byte")
    _pull_whole(walk, walk.image, walk.image.digest)


def _pull_whole(walk: Walk, image: BuiltImage, reference: str) -> None:
    command("export TOKEN=$(aws ecr get-login-password)")
    command(f"curl --user AWS:$TOKEN {walk.server.endpoint}/v2/hello/manifests/{reference}")
    command(f"curl --user AWS:$TOKEN {walk.server.endpoint}/v2/hello/blobs/{image.layers[0]}")
    with walk.registry() as registry:
        registry.require_image("hello", image, reference)
    answer(f"manifest and {len(image.blobs)} blobs are what was pushed")


def _kill(walk: Walk) -> None:
    walk.title("Kill the server, start it again, pull again")
    command(f"kill -KILL {walk.server.pid}")
    walk.server.kill()
    walk.server.close_clients()
    command(f"moorage serve --listen {walk.server.host} --data {walk.server.data}")
    walk.server.start()
    answer(walk.server.output.partition("\n")[0])
    _pull_whole(walk, walk.image, "v1")


def _fsck(walk: Walk) -> None:
    walk.title("Prove that nothing is missing")
    command(f"moorage fsck --deep --data {walk.server.data}")
    done = walk.server.run("fsck", "--deep", check=False)
    answer(done.stdout + done.stderr)
    require(right=done.returncode == 0, otherwise=f"fsck ended with status {done.returncode}")


STEPS: tuple[Callable[[Walk], None], ...] = (
    _start, _identity, _repository, _token, _push, _list, _clients, _pull, _kill, _fsck,
)  # fmt: skip


def main() -> int:
    """Walk, and return the exit status."""
    # A polite end from outside is to clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="moorage-demo-", ignore_cleanup_errors=True) as name:
        server = MoorageServer(Path(name) / "data", root=None)
        walk = Walk(server, Path(name))
        try:
            for step in STEPS:
                step(walk)
        except KeyboardInterrupt:
            click.echo("\ninterrupted: the server is stopped and its data removed", err=True)
            return _INTERRUPTED
        except Exception as error:  # whatever it is, the step that failed is what the reader needs
            click.echo(f"\ndemo: step {walk.steps} ({walk.step}) failed: {type(error).__name__}: {error}", err=True)
            click.echo(f"\nThe end of the server's log:\n{server.log[-3000:]}", err=True)
            return 1
        finally:
            server.close_clients()
            server.terminate()
    click.secho(f"\nAll {walk.steps} steps did what they should, in {time.monotonic() - begun:.0f} s. Now: make serve", bold=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
