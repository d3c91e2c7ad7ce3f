"""``moorage tls``: certificates for those who have none."""

from __future__ import annotations

import click

from moorage.cli.options import with_settings
from moorage.server.settings import Loaded
from moorage.server.tls import make_ca


@click.group()
def tls() -> None:
    """TLS certificates."""


@tls.command("init")
@click.argument("names", nargs=-1)
@with_settings
def init(loaded: Loaded, names: tuple[str, ...]) -> None:
    """Make an own CA and a certificate for NAMES (host names and addresses); run again to renew the certificate."""
    settings = loaded.settings
    own = settings.domain
    domain = [own, f"public.{own}", f"*.dkr.ecr.{settings.region}.{own}"] if own else []
    wanted = list(dict.fromkeys([*names, *domain, "localhost", "127.0.0.1", "::1"]))
    ca, certificate, key = make_ca(settings.data_folder / "tls", wanted)
    click.echo(f"CA           {ca}   (clients must trust it; for docker: /etc/docker/certs.d/<host:port>/ca.crt)")
    click.echo(f"certificate  {certificate}   for {', '.join(wanted)}")
    click.echo(f"serve with   moorage serve --tls-certificate {certificate} --tls-key {key}")
