from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from hsm.client import HsmClient
from hsm.gateway.service import GatewayService
from hsm.sdk.xinyin_hsm import Gateway
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.web.api import create_api
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.database import Database
from trustcore.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    LimitedError,
    MalformedError,
    NotFoundError,
    UnauthenticatedError,
)
from trustcore.signing import Keys, Signer, ensure_key

from support.gateway import ALL_SCOPES, Names, grant
from support.loopback import serving

pytestmark = pytest.mark.hsm


@pytest.fixture
def gateway(database: Database, service: HsmService, now: datetime) -> GatewayService:
    return GatewayService(database, service, lambda: now, GatewaySettings())


@pytest.fixture
def address(gateway: GatewayService, service: HsmService) -> Iterator[str]:
    names = Names({"office": ALL_SCOPES | {"hsm:generate"}, "reader": frozenset({"hsm:read"})})
    with serving(create_api(service, gateway, names)) as url:
        yield url


@pytest.fixture
def keys(address: str, gateway: GatewayService) -> Iterator[Keys]:
    grant(gateway, "office", "office-*")
    client = HsmClient(Gateway(address, token="office", timeout=10))
    yield client
    client.close()


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.SM2, KeyAlgorithm.RSA_2048, KeyAlgorithm.EC_P256])
def test_keys_behind_a_gateway_sign_like_keys_at_home(keys: Keys, service: HsmService, algorithm: KeyAlgorithm) -> None:
    uri = keys.generate("office-1", algorithm)
    assert uri == service.find("office-1") == keys.find("office-1")
    signer: Signer = keys.signer(uri, certificate=b"der")
    assert (signer.algorithm, signer.certificate) == (algorithm.signature, b"der")
    for signature in (signer.sign(b"message"), service.signer(uri).sign(b"message")):
        assert verify.verify(signer.public_key_der, signer.algorithm, b"message", signature)


def test_a_thousand_and_one_digests_keep_their_order(keys: Keys) -> None:
    signer = keys.signer(keys.generate("office-1", KeyAlgorithm.SM2))
    digests = [sm3(str(number).encode()) for number in range(1001)]
    signatures = signer.sign_many(digests)
    for number in (0, 999, 1000):
        assert verify.verify_digest(
            signer.public_key_der, SignatureAlgorithm.SM2_SM3, digests[number], signatures[number]
        )


def test_decryption_and_random_octets_come_from_the_machines(keys: Keys) -> None:
    uri = keys.generate("office-1", KeyAlgorithm.SM2)
    sealed = sm2.encrypt(sm2.public_point(keys.signer(uri).public_key_der), b"secret")
    assert keys.decrypt(uri, sealed) == b"secret"
    assert len(keys.random(70_000)) == 70_000
    assert keys.random(0) == b""
    with pytest.raises(MalformedError) as caught:
        keys.decrypt(uri, sealed[:-1])
    assert caught.value.code == "hsm.cipher.invalid"


def test_a_key_is_made_once(keys: Keys) -> None:
    uri = ensure_key(keys, "office-1", KeyAlgorithm.SM2)
    assert ensure_key(keys, "office-1", KeyAlgorithm.SM2) == uri
    with pytest.raises(ConflictError) as caught:
        keys.generate("office-1", KeyAlgorithm.SM2)
    assert caught.value.code == "hsm.key.exists"


def test_errors_are_those_of_the_product(
    keys: Keys, gateway: GatewayService, address: str, service: HsmService
) -> None:
    assert keys.find("office-7") is None
    with pytest.raises(NotFoundError):
        keys.signer("pkcs11:object=office-7;type=private")
    service.generate("other", KeyAlgorithm.SM2)
    with pytest.raises(ForbiddenError) as forbidden:
        keys.signer("pkcs11:object=other;type=private").sign(b"")
    assert forbidden.value.code == "hsm.right.missing"
    with Gateway(address, token="reader") as reader, pytest.raises(ForbiddenError):
        HsmClient(reader).random(1)
    with Gateway(address, token="stranger") as stranger, pytest.raises(UnauthenticatedError):
        HsmClient(stranger).random(1)
    with pytest.raises(MalformedError):
        keys.signer(keys.generate("office-1", KeyAlgorithm.SM2)).sign_digest(bytes(31))


def test_a_quota_that_is_used_up_says_for_how_long(
    keys: Keys, gateway: GatewayService, service: HsmService, address: str
) -> None:
    service.generate("daily", KeyAlgorithm.SM2)
    grant(gateway, "office", "daily", per_day=2)
    signer = keys.signer("pkcs11:object=daily;type=private")
    signer.sign_many([bytes(32), bytes(32)])
    with pytest.raises(LimitedError) as caught:
        signer.sign_digest(bytes(32))
    assert caught.value.facts == {"limit": 2, "retry_after": 52200}


def test_a_gateway_that_cannot_be_reached_is_busy(tmp_path: Path) -> None:
    with pytest.raises(BusyError) as caught:
        HsmClient(Gateway("http://127.0.0.1:9/hsm", token="x", timeout=0.5)).random(1)
    assert caught.value.code == "hsm.gateway.connection"
