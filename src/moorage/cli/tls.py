"""``moorage tls``: certificates for those who have none."""

from __future__ import annotations

import click

from moorage.cli.options import with_settings
from moorage.cli.output import show, with_output
from moorage.server.settings import Loaded


@click.group()
def tls() -> None:
    """TLS certificates."""


@tls.command("init")
@click.argument("names", nargs=-1)
@with_output
@with_settings("data", "domain", "region")
def init(loaded: Loaded, names: tuple[str, ...], form: str) -> None:
    """Make an own CA and a certificate for NAMES (host names and addresses); run again to renew the certificate."""
    from moorage.server.tls import make_ca

    settings = loaded.settings
    own = settings.domain
    domain = [own, f"public.{own}", f"*.dkr.ecr.{settings.region}.{own}"] if own else []
    wanted = list(dict.fromkeys([*names, *domain, "localhost", "127.0.0.1", "::1"]))
    ca, certificate, key = make_ca(settings.data_folder / "tls", wanted)
    text = (
        f"CA           {ca}   (clients must trust it; for docker: /etc/docker/certs.d/<host:port>/ca.crt)\n"
        f"certificate  {certificate}   for {', '.join(wanted)}\n"
        f"serve with   moorage serve --tls-certificate {certificate} --tls-key {key}"
    )
    show(form, {"ca": str(ca), "certificate": str(certificate), "key": str(key), "names": wanted}, text)
