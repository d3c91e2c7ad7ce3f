"""A registry answers as its model does, whatever is done to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from moorage.testing.server import MoorageServer
from tests.conftest import Pool
from tests.integration.agreement.choices import Choices
from tests.integration.agreement.client import agreement_in

EXAMPLES, STEPS = 30, 40
"""Some 20 seconds."""
AT_ONCE = ("--activation-seconds", "0")
"""An image is back from the archive at once, so that the model needs no clock."""
NAMES = ("model/a", "model/b")


@pytest.fixture
def server(pool: Pool, stack: str) -> Iterator[MoorageServer]:
    shared: MoorageServer = pool.get(f"modelled {stack}", lambda: pool.new_server(stack, options=AT_ONCE))
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)


def machine(server: MoorageServer) -> type[RuleBasedStateMachine]:
    """A machine each of whose runs has an account of its own, with an empty registry."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            agreement = agreement_in(server, server.create_account("modelled"))
            self.choices = Choices(agreement, NAMES, lambda options: options[0])
            agreement.create(NAMES[0], None, None, {})
            agreement.upload_all(NAMES[0])

        def run(self, data: Any, step: str) -> None:
            self.choices.pick = lambda options: data.draw(st.sampled_from(list(options)))
            getattr(self.choices, step)()

        def teardown(self) -> None:
            if hasattr(self, "choices"):
                self.choices.to.compare_all()
                for name in list(self.choices.to.model.repositories):
                    self.choices.to.delete(name, force=True)
                self.choices.to.describe(None)

    def step(name: str) -> Any:
        def run(self: Machine, data: Any) -> None:
            self.run(data, name)

        run.__name__ = name
        return rule(data=st.data())(run)

    for name in ("put", "put_with_all_it_needs", "read_images", "delete_images", "move", "settings", "create", "delete", "any"):
        setattr(Machine, f"do_{name}", step(name))
    return Machine


def test_a_registry_answers_as_its_model_does(server: MoorageServer) -> None:
    run_state_machine_as_test(
        machine(server),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
