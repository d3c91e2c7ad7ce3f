"""The addresses of loopback that a server listens on beside its own: one for each registry that docker reaches by an address."""

from __future__ import annotations

import logging
import ssl

from moorage.server.run import HttpServer, listen

logger = logging.getLogger("moorage.server")


class FurtherAddresses:
    """Listens on more addresses of loopback, as long as the system gives them.

    Args:
        host: the address that the server has itself.
        most: how many sockets may go to this.
    """

    def __init__(self, server: HttpServer, ssl_context: ssl.SSLContext | None, host: str, port: int, most: int) -> None:
        self._server, self._ssl_context, self._host, self._port, self._most = server, ssl_context, host, port, most
        self._listening: set[str] = set()
        self._told: set[str] = set()

    async def listen(self, address: str) -> bool:
        """Listen on `address`; False if that cannot be, which is logged once."""
        # Whoever listens on all addresses has these as well; whoever listens on one address of a network wants no other.
        if self._host == "0.0.0.0" or address in self._listening:  # noqa: S104  # compared, not bound
            return True
        if not self._host.startswith("127."):
            return False
        try:
            if len(self._listening) >= self._most:
                raise OSError(f"there are {self._most} such addresses already, as many as the limit of descriptors allows")
            (further,) = listen(address, self._port, share=True)
            await self._server.add_socket(further, self._ssl_context)
        except OSError as error:
            if address not in self._told:
                self._told.add(address)
                logger.warning("cannot listen on %s: %s; its registry is reached by its name below localhost", address, error)
            return False
        self._listening.add(address)
        return True
