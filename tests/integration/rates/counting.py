"""What a server's metrics tell of requests, and many requests at once."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from urllib.request import urlopen

from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer

ACCOUNT = "000000000000"


def counted(server: MoorageServer, operation: str, *, throttled: bool = False, account: str = ACCOUNT) -> int:
    """How many requests of an account's operation in us-east-1 the metrics tell of."""
    with urlopen(f"{server.endpoint}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    family = "moorage_requests_throttled_total" if throttled else "moorage_requests_total"
    labels = f'account="{account}",operation="{operation}",region="us-east-1"'
    found = re.search(rf"^{family}{{{labels}}} ([0-9.e+]+)$", text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def flood(servers: Sequence[MoorageServer], path: str, seconds: float, clients: int = 4) -> tuple[dict[int, int], float]:
    """Ask for a path over `clients` connections, in turn to each server, as fast as it goes; return answers by status, and how
    many seconds it took."""
    passwords = {server.port: server.password() for server in servers}
    statuses: dict[int, int] = {}
    lock = threading.Lock()
    begun = time.monotonic()

    def ask(server: MoorageServer) -> None:
        own: dict[int, int] = {}
        with RegistryClient("127.0.0.1", server.port, passwords[server.port]) as client:
            while time.monotonic() - begun < seconds:
                status = client.get(path).status
                own[status] = own.get(status, 0) + 1
        with lock:
            for status, count in own.items():
                statuses[status] = statuses.get(status, 0) + count

    threads = [threading.Thread(target=ask, args=(servers[number % len(servers)],)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, time.monotonic() - begun
