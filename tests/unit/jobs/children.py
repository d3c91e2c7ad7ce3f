"""What the children of the sandbox's tests do."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path


def turn_round(argument: bytes) -> bytes:
    return argument[::-1]


def refuse(argument: bytes) -> bytes:
    raise ValueError(f"no\n{argument.decode()}")


def allocate(argument: bytes) -> bytes:
    return b"%d" % len(bytearray(int(argument)))


def allocate_bit_by_bit(argument: bytes) -> bytes:
    kept = []
    while True:
        kept.append(bytearray(1_000_000))


def spin(argument: bytes) -> bytes:
    while True:
        pass


def sleep(argument: bytes) -> bytes:
    time.sleep(3600)
    return b""


def crash(argument: bytes) -> bytes:
    os.write(2, b"about to fall")
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def leave(argument: bytes) -> bytes:
    os._exit(3)


def write_much(argument: bytes) -> bytes:
    return bytes(int(argument))


def print_much(argument: bytes) -> bytes:
    for _ in range(2000):
        print("x" * 1000)
        print("y" * 1000, file=sys.stderr)
    return b"done"


def write_a_file(argument: bytes) -> bytes:
    Path(argument.decode()).write_bytes(b"x")
    return b""


def open_many(argument: bytes) -> bytes:
    kept = [socket.socket() for _ in range(1000)]
    return b"%d" % len(kept)


def environment(argument: bytes) -> bytes:
    return repr(dict(os.environ)).encode()


def descriptors(argument: bytes) -> bytes:
    return ",".join(sorted(each.name for each in Path("/proc/self/fd").iterdir())).encode()


def read_from(argument: bytes, descriptor: int) -> bytes:
    return os.pread(descriptor, 100, 0)


def of_another_kind(argument: bytes) -> str:
    return "text"


def tell_and_sleep(argument: bytes, descriptor: int) -> bytes:
    os.write(descriptor, b"%d" % os.getpid())
    time.sleep(3600)
    return b""
