"""Children that take too much of everything: the server stays as it is, and says what happened."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import uvloop

from moorage.jobs.sandbox import ChildCrashed, FunctionFailed, LimitReached, Limits, Sandbox, SandboxError

MIB = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> Iterator[Sandbox]:
    made.append(Sandbox())
    yield made[0]
    made.pop().close()


made: list[Sandbox] = []


def run(name: str, argument: bytes = b"", limits: Limits | None = None, descriptors: Sequence[int] = ()) -> bytes:
    """On the server's loop."""
    return uvloop.run(made[0].run(f"tests.unit.jobs.children:{name}", argument, limits, descriptors=descriptors))


def test_a_function_returns_what_it_returns() -> None:
    argument = os.urandom(3 * MIB)
    assert run("turn_round", argument) == argument[::-1]
    assert run("turn_round") == b""


def test_an_error_of_the_function_is_told_on_one_line() -> None:
    with pytest.raises(FunctionFailed, match=r"^ValueError: no way$"):
        run("refuse", b"way")
    with pytest.raises(FunctionFailed, match="not bytes"):
        run("of_another_kind")
    with pytest.raises(FunctionFailed, match="No module named"):
        uvloop.run(made[0].run("moorage.nothing:at_all", b""))


@pytest.mark.parametrize(("name", "argument"), [("allocate", b"%d" % (400 * MIB)), ("allocate_bit_by_bit", b"")])
def test_memory(name: str, argument: bytes) -> None:
    with pytest.raises(LimitReached, match="of memory"):
        run(name, argument, Limits(memory_bytes=200 * MIB))


def test_memory_within_the_limit() -> None:
    assert run("allocate", b"%d" % (100 * MIB), Limits(memory_bytes=300 * MIB)) == b"%d" % (100 * MIB)


def test_processor_time() -> None:
    with pytest.raises(LimitReached, match="1 s of processor time"):
        run("spin", limits=Limits(cpu_seconds=1))


def test_time() -> None:
    begun = time.monotonic()
    with pytest.raises(LimitReached, match=r"longer than 0\.5 s"):
        run("sleep", limits=Limits(wall_seconds=0.5))
    assert time.monotonic() - begun < 20


def test_a_crash() -> None:
    with pytest.raises(ChildCrashed, match=f"signal {int(signal.SIGSEGV)}: about to fall"):
        run("crash")
    with pytest.raises(ChildCrashed, match="status 3"):
        run("leave")


def test_too_long_a_result() -> None:
    assert len(run("write_much", b"1000", Limits(output_bytes=1000))) == 1000
    with pytest.raises(LimitReached, match="longer than 1000 bytes"):
        run("write_much", b"1001", Limits(output_bytes=1000))
    with pytest.raises(LimitReached, match="longer than 1000 bytes"):
        run("write_much", b"100000000", Limits(output_bytes=1000))


def test_what_is_printed_is_no_result() -> None:
    assert run("print_much") == b"done"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "written"
    with pytest.raises(FunctionFailed, match="File too large"):
        run("write_a_file", str(path).encode())
    run("write_a_file", str(path).encode(), Limits(file_bytes=10))
    assert path.read_bytes() == b"x"
    with pytest.raises(FunctionFailed, match="Too many open files"):
        run("open_many")


def test_it_has_no_secrets_and_no_files_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_ROOT_KEY", "secret")
    assert b"MOORAGE" not in run("environment")
    with (tmp_path / "open").open("w+b") as file:
        os.set_inheritable(file.fileno(), True)
        found = [int(number) for number in run("descriptors").split(b",")]
        assert len(found) <= 6  # the three, the result's, the folder that is listed, and one to spare
        file.write(b"content")
        file.flush()
        assert run("read_from", descriptors=[file.fileno()]) == b"content"


def test_nothing_is_left_when_the_task_is_cancelled() -> None:
    reading, writing = os.pipe()

    async def steps() -> int:
        task = asyncio.create_task(made[0].run("tests.unit.jobs.children:tell_and_sleep", b"", descriptors=[writing]))
        pid = int(await asyncio.to_thread(os.read, reading, 100))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    pid = uvloop.run(steps())
    os.close(reading)
    os.close(writing)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_many_failures_leave_nothing_behind() -> None:
    """Descriptors above all."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    async def one(name: str) -> None:
        with pytest.raises(SandboxError):
            await made[0].run(f"tests.unit.jobs.children:{name}", b"1001", Limits(output_bytes=10))

    async def steps() -> None:
        for _ in range(3):
            await asyncio.gather(*[one(name) for name in ("crash", "leave", "write_much", "refuse")])

    uvloop.run(steps())
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
