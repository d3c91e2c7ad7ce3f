"""The moorage command."""

from __future__ import annotations

import click

from moorage.cli import access, accounts, doctor, fsck, policies, public, serve, settings, tls


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="moorage")
def main() -> None:
    """A container registry that is Amazon ECR on your own machine."""


main.add_command(serve.serve)
main.add_command(settings.settings)
main.add_command(accounts.account)
main.add_command(accounts.key)
main.add_command(public.public)
main.add_command(fsck.fsck)
main.add_command(doctor.doctor)
main.add_command(access.explain)
main.add_command(access.who_can)
main.add_command(policies.policy)
main.add_command(tls.tls)
