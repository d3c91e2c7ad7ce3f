"""What was sealed before there was one place for sealing opens as it did: made by the code of schema 0005, under this key."""

from __future__ import annotations

import asyncio

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.auth.cursors import Cursors
from moorage.auth.registry_token import RegistryTokens
from moorage.auth.sessions import SessionTokens
from moorage.keys.data_keys import DataKeys
from moorage.keys.local_keyring import LocalKeyring
from moorage.keys.root_key import RootKey
from moorage.keys.sealing import Sealing
from moorage.metadata.records import Payload, Segment
from moorage.model.seal import AES256, Seal
from moorage.transfer.payloads import open_payload
from moorage.transfer.segments import open_keys, open_small

ROOT = RootKey(bytes(range(32)), "test")
REGISTRY_KEY = (
    "0181684105ffc16f9cb82ed617ad0ebc47431ed641df72c78cc5a3567da2d2fc91611861fa02318031b285e19524302846564d9426a140"
    "a852f8ea313c111199d92804dc2c"
)
PAYLOAD_SEALED = "742fc07c995d4c5164a3c5b319f70fd72b469b886bcec0f98a6d59a1dd5f02505bc7c68327334083f81fd17619dacb"
PAYLOAD_WRAPPED = (
    "0119a1a2cb8fc65c62a5dd9eba11c9ce37e3a9616b29dfa6ac06dfd517a4bcf01e1f5c631567dfcd78f6cac6c9d04a30a59295e8907382"
    "1480ba9f7d5e85bf8239aef7ac9c"
)
SMALL_KEY = "0qx7vud3hp5rfm2kq4yagdkxel3nwosho"
SMALL_WRAPPED = (
    "0119a1a2cb8fc65c6279dc511371f159d3c02388ccebd2974e4c791c99265ceba61b68fdc1200501f0df9c29646dbab15fdc731e5b17b9"
    "73215eaf2df44b6cac83b383d0f1"
)
SMALL_CONTENT = "b0f6bc57e37168f1d5dd19b00557eb570e2c1c67817adcc80dec8c8dbeceb67d0bec190b227e00c0ff"
SECRET = (
    "0181684105ffc16f9c332d92b0a2af35f803599bce79ffa671141c3a203fc78f9b79c40189dbbf09723d83d4580dcf631468a16b13aecc187b9c10f0"
)
CURSOR = "SJR4TXIc5U1BLfKATEKxsqh2ofHq3oe5NW6AX6moQrBEI8OA898="
REGISTRY_TOKEN = (
    "N9XmLEPW9RdkA869GRm0FhJdHkkm64nGhpGckn_WD0kKO975EbJnw74ikBALhvawZyi03TbKpnyT0DoU_Vz_NCxV3uZhve8fWcVD-dIabCQEIH"
    "ZMWcs3prMmO1R3_9F2c1PCQWSQGkGFnYsqvWug"
)
SESSION_TOKEN = (
    "Ki_lp_Vd_S9z2ikwaiIfh0JvI4HX8gRLeFZh1vRXj-ARlD8qemjpw2eT6egU4XyOUxBoHjdtiNYgBschfhHklu9CHPC2sJ2KjcYRAn-b7mdR_E"
    "kKgGURsBJ3kC7z7YFAl195Z-mUSGI-gThWLuUvYyUbLKhrvFURHZkpq9pWP6N9oSBo8HICZlw="
)
SEAL = Seal(3, AES256, bytes.fromhex(REGISTRY_KEY))


def test_a_manifest() -> None:
    keys = DataKeys({AES256: LocalKeyring(ROOT)})
    stored = Payload(bytes.fromhex(PAYLOAD_SEALED), bytes.fromhex(PAYLOAD_WRAPPED))
    assert asyncio.run(open_payload(keys, SEAL, 7, "sha256:" + "0f" * 32, stored)) == b'{"schemaVersion":2}'


def test_a_small_object() -> None:
    keys = DataKeys({AES256: LocalKeyring(ROOT)})
    segment = Segment(13, SMALL_KEY, bytes.fromhex(SMALL_WRAPPED), bytes.fromhex(SMALL_CONTENT))
    opened = asyncio.run(open_keys(keys, SEAL, [segment]))
    assert open_small(segment, opened[0]) == b"small content"


def test_a_secret_of_the_database() -> None:
    assert ROOT.open_secret(bytes.fromhex(SECRET), {"access-key": "AKIA"}) == b"secret of an access key"


def test_tokens() -> None:
    assert Cursors(ROOT.derive("pagination")).open("ListImages|x", CURSOR) == ["last", 7]
    claims = RegistryTokens(ROOT.derive("registry tokens")).open(REGISTRY_TOKEN, 0)
    assert (claims.access_key_id, claims.principal_id) == ("AKIA", "AIDA")
    credential = SessionTokens(ROOT.derive("session tokens")).open("ASIA", SESSION_TOKEN)
    assert credential is not None
    assert credential.secret == "secret"


def test_what_is_sealed_now_opened_then() -> None:
    """The layout, written down once more: nonce, ciphertext, tag."""
    sealed = Sealing(bytes(32)).seal(b"content", b"bound")
    assert AESGCM(bytes(32)).decrypt(sealed[:12], sealed[12:], b"bound") == b"content"
