"""Wrong answers of a machine are told, each for what it is. The answers are made here, with keys in memory."""

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from hsm.core import proving
from hsm.core.profiles import CipherMode, SignatureForm
from hsm.core.proving import TRIAL_DIGESTS, TRIAL_PLAINTEXT
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sm3

RAW, DER = SignatureForm.RAW, SignatureForm.DER


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    return sm2.generate()


def judged(point: bytes, answers: list[bytes], form: SignatureForm) -> str:
    return proving.judge_signatures(KeyAlgorithm.SM2, sm2.public_key_der(point), answers, form=form)


def test_right_signatures_pass_in_the_form_that_is_expected(pair: tuple[bytes, bytes]) -> None:
    private, point = pair
    answers = [sm2.sign_digest(private, digest) for digest in TRIAL_DIGESTS]
    raw = [sm2.signature_to_raw(answer) for answer in answers]
    assert judged(point, answers, DER) == judged(point, raw, RAW) == ""
    assert judged(point, raw, DER) == "answers with r ‖ s where the profile says DER"
    assert judged(point, answers, RAW) == "answers with DER where the profile says r ‖ s"


@pytest.mark.parametrize("form", [RAW, DER])
@pytest.mark.parametrize("with_z", [True, False])
def test_a_digest_that_was_hashed_once_more_is_told(
    pair: tuple[bytes, bytes], form: SignatureForm, with_z: bool
) -> None:
    private, point = pair
    prefix = sm2.z_value(point) if with_z else b""
    answers = [sm2.sign_digest(private, sm3(prefix + digest)) for digest in TRIAL_DIGESTS]
    for told in (answers, [sm2.signature_to_raw(answer) for answer in answers]):
        assert judged(point, told, form) == "hashes the digest once more instead of signing it"


def test_signatures_with_another_key_swapped_repeated_or_cut_are_told(pair: tuple[bytes, bytes]) -> None:
    private, point = pair
    first, second = (sm2.sign_digest(private, digest) for digest in TRIAL_DIGESTS)
    other, _ = sm2.generate()
    for answers in (
        [sm2.sign_digest(other, digest) for digest in TRIAL_DIGESTS],
        [second, first],
        [first, first],
        [first, second[:-1]],
        [b"", b""],
        [bytes(64), bytes(64)],
        [b"\x30\x06\x02\x01\x00\x02\x01\x00"] * 2,
        [b"\xff" * 64] * 2,
        [bytes(5000)] * 2,
    ):
        for form in (RAW, DER):
            assert judged(point, answers, form) == "gives signatures that do not verify"


def test_a_random_number_that_was_used_twice_is_told(pair: tuple[bytes, bytes]) -> None:
    private, point = pair
    answers = [sm2.sign_digest(private, digest, nonce=lambda: 12345) for digest in TRIAL_DIGESTS]
    assert "one random number" in judged(point, answers, DER)


def test_ecdsa_is_judged_likewise() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    prehashed = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    answers = [key.sign(digest, prehashed) for digest in TRIAL_DIGESTS]
    judge = proving.judge_signatures
    assert judge(KeyAlgorithm.EC_P256, public, answers, form=DER) == ""
    assert judge(KeyAlgorithm.EC_P256, public, answers, form=RAW) == "answers with DER where the profile says r ‖ s"
    assert judge(KeyAlgorithm.EC_P256, public, answers[::-1], form=DER) == "gives signatures that do not verify"


def test_the_rsa_key_that_everybody_knows_is_one() -> None:
    numbers = proving.TRIAL_RSA
    n, e, d, p, q, dp, dq, qi = (
        int.from_bytes(value, "big")
        for value in (
            numbers.modulus, numbers.exponent, numbers.private_exponent, numbers.prime_1, numbers.prime_2,
            numbers.exponent_1, numbers.exponent_2, numbers.coefficient,
        )
    )  # fmt: skip
    key = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n)).private_key()
    assert key.key_size == 2048
    prehashed = utils.Prehashed(hashes.SHA256())
    answers = [key.sign(digest, padding.PKCS1v15(), prehashed) for digest in TRIAL_DIGESTS]
    judge = proving.judge_signatures
    assert judge(KeyAlgorithm.RSA_2048, numbers.public_key_der, answers, form=None) == ""
    assert judge(KeyAlgorithm.RSA_2048, numbers.public_key_der, answers[::-1], form=None)
    assert judge(KeyAlgorithm.RSA_2048, numbers.public_key_der, [b"", b""], form=None)


@pytest.mark.parametrize(
    ("answer", "altered", "part"),
    [
        (TRIAL_PLAINTEXT, None, ""),
        (None, None, "refuses a ciphertext"),
        (b"", None, "something else"),
        (TRIAL_PLAINTEXT[::-1], None, "something else"),
        (TRIAL_PLAINTEXT, TRIAL_PLAINTEXT, "that was changed"),
        (TRIAL_PLAINTEXT, b"", "that was changed"),
    ],
)
def test_decryption_is_judged(answer: bytes | None, altered: bytes | None, part: str) -> None:
    found = proving.judge_decryption(answer, altered)
    assert part in found
    assert bool(found) == bool(part)


def test_sm4_is_judged_by_the_standards_example() -> None:
    block = bytes.fromhex("681edf34d206965e86b3e94f536e4246")
    assert proving.judge_sm4(CipherMode.ECB, block * 2, proving.TRIAL_BLOCKS) == ""
    assert "otherwise than the standard" in proving.judge_sm4(CipherMode.ECB, proving.TRIAL_BLOCKS, b"")
    assert "does not decrypt" in proving.judge_sm4(CipherMode.ECB, block * 2, block * 2)
    for mode in (CipherMode.CBC, CipherMode.GCM):
        assert "otherwise than the standard" in proving.judge_sm4(mode, block * 2, proving.TRIAL_BLOCKS)


@pytest.mark.parametrize(("first", "second"), [(bytes(32), bytes(32)), (bytes(32), b"\x01" * 32), (b"ab", b"ab")])
def test_random_numbers_that_are_none_are_told(first: bytes, second: bytes) -> None:
    assert proving.judge_random(first, second)
    assert not proving.judge_random(bytes(range(32)), bytes(range(1, 33)))
