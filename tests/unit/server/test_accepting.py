"""Which connections are closed when others need their place."""

from __future__ import annotations

from dataclasses import dataclass, field

from moorage.server.descriptors import RESERVED, most_addresses, most_connections
from moorage.server.http.accepting import chosen


@dataclass(eq=False)
class Open:
    """A connection: `deadline` None while it does not wait for its client."""

    source: str
    deadline: float | None = 1.0
    is_busy: bool = False
    left: list[str] = field(default_factory=list)

    def make_room(self) -> None:
        raise AssertionError("whoever chooses does not close")


def test_of_the_source_that_has_most_whoever_is_late_first() -> None:
    many = [Open("a", float(number)) for number in range(10)]
    few = [Open("b", -1.0), Open("b", -2.0)]
    assert chosen([*few, *many], 3) == many[:3]
    assert few[0] not in chosen([*few, *many], 8)
    assert len(chosen([*few, *many], 100)) == 12


def test_requests_that_are_worked_on_stay() -> None:
    assert chosen([Open("a", None, True) for _ in range(10)], 5) == []


def test_bodies_that_are_waited_for_go_only_of_whoever_has_most_of_all() -> None:
    slow = [Open("a", float(number), True) for number in range(6)]
    idle = Open("a", 100.0)
    assert chosen([*slow, idle, Open("b", 1.0, True)], 3) == [idle, *slow[:2]]
    assert chosen([*slow[:2], *(Open(f"c{number}", 1.0, True) for number in range(4))], 3) == []


def test_descriptors_are_left_for_everything_else() -> None:
    for limit in (256, 1024, 65536, 1 << 20):
        assert most_connections(limit) * 3 + RESERVED <= limit
        assert most_addresses(limit) <= limit // 16
