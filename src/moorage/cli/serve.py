"""``moorage serve``: the server."""

from __future__ import annotations

import os

import click
import uvicorn
import uvloop

from moorage.cli.options import fail, with_settings
from moorage.operations import accounts
from moorage.server.app import Application
from moorage.server.installation import InstallationError, exclusive, open_installation
from moorage.server.settings import Loaded
from moorage.wire.web.metrics import Metrics


@click.command()
@with_settings
def serve(loaded: Loaded) -> None:
    """Serve the registry until SIGTERM."""
    settings = loaded.settings
    try:
        with exclusive(settings.data_folder):
            installation = open_installation(settings, os.environ)
            made = installation.db.run_write(
                accounts.ensure_bootstrap, installation.root_key, settings.account_id, "default", settings.root_key_pair
            )
            if made:
                print(made)

            async def run() -> None:
                app = Application(settings, installation.db, installation.store, installation.root_key, Metrics())
                app.start()
                host, port = settings.host_and_port
                server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", http="httptools"))
                await server.serve()
                await app.stop()

            uvloop.run(run())
            installation.close()
    except InstallationError as error:
        fail(str(error))
