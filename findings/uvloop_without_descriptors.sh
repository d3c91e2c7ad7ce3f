#!/usr/bin/env bash
# uvloop 0.23.0: a server that has no file descriptor left accepts further connections and closes them at once.
#
# Guess: as with asyncio's own loop, what cannot be accepted waits in the kernel's queue until somebody leaves, and the loop logs it.
# Seen: 60 connections to a server with 40 descriptors.
#   asyncio: 0 closed; the rest waits, and "socket.accept() out of system resource" is logged
#   uvloop:  more than 20 closed within two seconds (end of file, no error), nothing is logged, nothing waits
# libuv keeps a spare descriptor for that: it closes it, accepts, closes what it has accepted, and opens the spare one again. So a
# client behind a load balancer sees a server that hangs up, not one that is busy.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" -q --disable-pip-version-check install uvloop==0.23.0
cat >"$dir/serve.py" <<'PY'
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
if sys.argv[1] == "uvloop":
    import uvloop
    run = uvloop.run
else:
    run = asyncio.run
async def hold(reader, writer):
    await reader.read(1)
async def main():
    server = await asyncio.start_server(hold, "127.0.0.1", 0, backlog=128)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
run(main())
PY
cat >"$dir/count.py" <<'PY'
import select, socket, subprocess, sys, time
found = {}
for loop in ("asyncio", "uvloop"):
    server = subprocess.Popen([sys.executable, "serve.py", loop], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    clients = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(60)]
    closed, until = set(), time.monotonic() + 2
    while time.monotonic() < until:
        ready, _, _ = select.select([c for c in clients if c not in closed], [], [], 0.1)
        for client in ready:
            try:
                ended = client.recv(1) == b""
            except ConnectionResetError:
                ended = True
            if ended:
                closed.add(client)
    for client in clients:
        client.close()
    server.terminate()
    logged = server.communicate()[1]
    found[loop] = len(closed)
    print(f"{loop}: {len(closed)} of 60 closed by the server; logged: {'out of system resource' in logged}")
sys.exit(0 if found["asyncio"] == 0 and found["uvloop"] > 20 else 1)
PY
cd "$dir" && venv/bin/python count.py
