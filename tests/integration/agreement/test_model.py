"""A registry answers as its model does, whatever is done to it."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.agreement.choices import Choices
from tests.integration.agreement.client import Agreement, agreement_in
from tests.integration.agreement.model import Registry

EXAMPLES, STEPS = 30, 40
"""Some 20 seconds."""
RULES = (
    "put", "put_with_all_it_needs", "read_images", "layers", "delete_images", "move", "settings", "put_mutability", "create",
    "any",
)  # fmt: skip
"""Methods of `Choices`."""
_runs = itertools.count()


def machine(client: Any, registry: Registry) -> type[RuleBasedStateMachine]:
    """A machine each of whose runs has repositories of its own."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            names = [f"run-{next(_runs)}/{name}" for name in ("a", "b")]
            self.choices = Choices(Agreement(client, Registry(registry.registry_id, registry.host)), names, lambda some: some[0])
            self.choices.begin()

        def run(self, data: Any, step: str) -> None:
            self.choices.pick = lambda options: data.draw(st.sampled_from(list(options)))
            getattr(self.choices, step)()

        def teardown(self) -> None:
            if hasattr(self, "choices"):
                self.choices.to.compare_all(sorted(self.choices.to.model.repositories))
                for name in self.choices.names:
                    self.choices.to.delete(name, force=True)

    def step(name: str) -> Any:
        def run(self: Machine, data: Any) -> None:
            self.run(data, name)

        run.__name__ = name
        return rule(data=st.data())(run)

    for name in RULES:
        setattr(Machine, f"do_{name}", step(name))
    return Machine


def test_a_registry_answers_as_its_model_does(server: MoorageServer, account: KeyPair) -> None:
    agreement = agreement_in(server, account)
    run_state_machine_as_test(
        machine(agreement.client, agreement.model),
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
