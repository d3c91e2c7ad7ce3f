"""The settings of a registry are as its model has them; and those of several registries are each their own."""

from __future__ import annotations

import random

from moorage.testing.server import MoorageServer, make_client
from tests.integration.agreement.settings import SettingsAgreement
from tests.integration.agreement.test_together import CLIENTS, at_once

STEPS = 100


def test_settings_of_registries_at_once(server: MoorageServer) -> None:
    """Each client has a registry of its own: in an account of its own, or in another region of one that is also another's."""
    keys = [server.create_account("settings") for _ in range(CLIENTS - 1)]
    places = [*((key, "us-east-1") for key in keys), (keys[0], "eu-west-1")]

    def work(number: int) -> None:
        key, region = places[number]
        client = make_client(server.endpoint, "ecr", key, region, parameter_validation=False)
        agreement = SettingsAgreement(client, key.account_id, random.Random(300 + number).choice)
        for _ in range(STEPS):
            agreement.step()
        client.close()

    at_once(work)
