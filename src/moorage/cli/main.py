"""The moorage command."""

from __future__ import annotations

import click

from moorage.cli.program import Program

COMMANDS = {
    "account": ("moorage.cli.accounts:account", "Accounts: each has registries of its own in every region."),
    "doctor": ("moorage.cli.doctor:doctor", "Check the installation and say what to mend."),
    "explain": ("moorage.cli.access:explain", "Say whether a principal may do something now, and why."),
    "fsck": ("moorage.cli.fsck:fsck", "Check that everything the database promises is there and whole."),
    "jobs": ("moorage.cli.jobs:jobs", "Background jobs: list them, look at one, try a failed one again, cancel one."),
    "key": ("moorage.cli.accounts:key", "Access keys of accounts' roots, and of users."),
    "policy": ("moorage.cli.policies:policy", "Policies: from what was really done, and checked before they are put to use."),
    "public": ("moorage.cli.public:public", "Public registries: their aliases, and which accounts are verified."),
    "serve": ("moorage.cli.serve:serve", "Serve the registry until SIGTERM."),
    "settings": ("moorage.cli.settings:settings", "Print every setting: its value, where that came from, and what it means."),
    "tls": ("moorage.cli.tls:tls", "TLS certificates."),
    "who-can": ("moorage.cli.access:who_can", "List who may do ACTION on REPOSITORY now, and by which statement."),
}
"""Where each command is, and its line of help; a test holds these equal to what the commands say themselves."""


@click.group(cls=Program, lazily=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="moorage")
@click.option("--debug", is_flag=True, help="show the traceback of an error")
def main(debug: bool) -> None:
    """A container registry that is Amazon ECR on your own machine."""
