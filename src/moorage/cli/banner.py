"""What a server says on standard output once it serves: where, and until somebody has used it, how to begin."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from moorage.metadata.database import DatabaseUnavailable, DatabaseUnusable
from moorage.model.errors import StorageFull
from moorage.operations.accounts import accounts
from moorage.operations.accounts.accounts import NewKey
from moorage.server.installation import Installation
from moorage.server.settings import Settings

logger = logging.getLogger("moorage.server")


class Banner:
    """Shown once for a server, by whichever of its workers is ready first.

    Args:
        made: the key that is to be shown.
        is_unused: no key of the default account's root was ever used.
    """

    def __init__(self, settings: Settings, listening: Sequence[socket.socket], made: NewKey | None, *, is_unused: bool) -> None:
        self._settings, self._made, self._is_unused = settings, made, is_unused
        host, _ = settings.host_and_port
        shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
        self._place = f"{f'[{shown}]' if ':' in shown else shown}:{listening[0].getsockname()[1]}"
        # One byte, for all workers that are forked from here: who reads it has the word.
        self._turn, writing = os.pipe()
        os.set_blocking(self._turn, False)
        os.write(writing, b"1")
        os.close(writing)

    def show(self, installation: Installation | None) -> None:
        """Print it, unless another worker has; the key is noted as shown only after that."""
        if not os.read(self._turn, 1):
            return
        try:
            sys.stdout.write("\n".join(self._lines()) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            logger.warning("what a start says could not be printed: %s", error)
            return
        if installation is None or self._made is None or self._settings.root_key_pair is not None:
            return
        try:
            installation.db.run_write(accounts.note_first_key_shown, self._made.account_id)
        except (DatabaseUnavailable, DatabaseUnusable, StorageFull) as error:
            logger.warning("the next start will show the key once more: %s", error)

    def _lines(self) -> list[str]:
        settings, made, place = self._settings, self._made, self._place
        scheme = "https" if settings.tls_certificate else "http"
        source = "memory: everything ends with it" if settings.ephemeral else str(settings.data_folder)
        lines = [f"Moorage serves {scheme}://{place} from {source}"]
        if made is not None and (settings.root_key_pair is None or settings.ephemeral):
            shown_once = "" if settings.ephemeral else f" It is shown this once; keep it. Another one: {self._create_command()}"
            lines += [
                "",
                f"First start: account {made.account_id} has this root access key.{shown_once}",
                "",
                f"  export AWS_ACCESS_KEY_ID={made.access_key_id} AWS_SECRET_ACCESS_KEY={made.secret}",
                f"  export AWS_DEFAULT_REGION={settings.region} AWS_ENDPOINT_URL={scheme}://{place}",
                "  aws ecr create-repository --repository-name hello",
                f"  aws ecr get-login-password | docker login --username AWS --password-stdin {place}",
                "",
                f"Then: docker tag IMAGE {place}/hello:v1 && docker push {place}/hello:v1",
                f"An aws older than 2.13 takes each command with: --endpoint-url {scheme}://{place}",
            ]
        elif self._is_unused and settings.root_key_pair is None:
            lines += ["", f"No key of the root of {settings.account_id} has been used yet. Another one: {self._create_command()}"]
        return lines

    def _create_command(self) -> str:
        settings = self._settings
        where = "" if settings.database_url or settings.data == Settings().data else f" --data {settings.data_folder}"
        return f"{_program()} key create {settings.account_id}{where}"


def _program() -> str:
    """How this program is called here: by its name where it is on the path, else as it was called."""
    if shutil.which("moorage"):
        return "moorage"
    called = sys.argv[0]
    return shlex.quote(called) if Path(called).name == "moorage" else f"{shlex.quote(sys.executable)} -m moorage"
