"""The file of a key ceremony: what is read, what is refused and with which words, and what the script says."""

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.core.ceremony import Role, file_digest, parse
from hsm.core.ceremony_plan import StepKind, differences, plan
from hsm.core.ceremony_print import checklist
from trustcore.errors import MalformedError

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "samples" / "ceremony" / "root-ca.toml").read_bytes()

WITH_SHARES = SAMPLE.replace(
    b"[before]",
    b'[[person]]\nname = "A"\nrole = "custodian"\n\n[[person]]\nname = "B"\nrole = "custodian"\n\n'
    b'[[person]]\nname = "C"\nrole = "custodian"\n\n[activation]\nthreshold = 2\nshares = 3\n\n[before]',
)


def test_the_sample_is_read() -> None:
    file = parse(SAMPLE)
    assert file.master.name == "赵明"
    assert [person.role for person in file.present] == [Role.MASTER, Role.OPERATOR, Role.WITNESS]
    assert [key.label for key in file.key] == ["ca-sm2-root-2030", "ca-rsa-root-2030"]


def test_the_script_of_the_sample() -> None:
    steps = plan(parse(SAMPLE))
    assert [step.number for step in steps] == list(range(1, 17))
    assert [step.kind for step in steps] == [
        *[StepKind.PERSON] * 3, *[StepKind.MACHINE] * 3, *[StepKind.ABSENT] * 3,
        *[StepKind.GENERATE, StepKind.PROVE, StepKind.REQUEST] * 2, StepKind.CLOSE,
    ]  # fmt: skip
    assert steps == plan(parse(SAMPLE))
    assert steps[9].expected == {"algorithm": "sm2", "purpose": "ca", "machines": "machine-1 machine-2 machine-3"}


def test_shares_and_limits_are_in_the_script() -> None:
    data = WITH_SHARES.replace(b'purpose = "ca"\nrequest', b'purpose = "ca"\nusage_limit = 500\nrequest', 1)
    steps = plan(parse(data))
    (activation,) = [step for step in steps if step.kind is StepKind.ACTIVATION]
    assert activation.expected == {"threshold": "2", "shares": "3"}
    assert "usage_limit" in next(step for step in steps if step.kind is StepKind.GENERATE).expected


def test_a_key_may_be_for_some_machines() -> None:
    data = SAMPLE.replace(b'purpose = "ca"', b'purpose = "ca"\nmachines = ["machine-3", "machine-1"]', 1)
    made, proved = [step for step in plan(parse(data)) if step.kind in {StepKind.GENERATE, StepKind.PROVE}][:2]
    assert made.expected["machines"] == proved.expected["signed"] == "machine-1 machine-3"


def test_a_key_for_encryption_is_not_made_to_sign() -> None:
    text = SAMPLE.decode()
    text = text[: text.rindex("[[key]]")] + '[[key]]\nlabel = "kek"\nalgorithm = "sm2"\npurpose = "encryption"\n'
    kinds = [step.kind for step in plan(parse(text.encode())) if step.subject == "kek"]
    assert kinds == [StepKind.ABSENT, StepKind.GENERATE]


def test_the_checklist_has_the_digest_and_every_step_in_both_languages() -> None:
    text = checklist(SAMPLE, parse(SAMPLE))
    assert file_digest(SAMPLE).hex() in text
    for step in plan(parse(SAMPLE)):
        assert f"{step.number:>2}. {step.zh}" in text
        assert step.en in text
    assert "REHEARSAL" in text


def test_the_digest_is_that_of_openssl_over_the_octets(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_bytes(SAMPLE)
    said = subprocess.run(["openssl", "dgst", "-sm3", "-r", file], check=True, capture_output=True, text=True).stdout
    assert said.split()[0] == file_digest(SAMPLE).hex()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("place =", "place", "The ceremony file is not TOML: Expected '=' after a key in a key/value pair (at line"),
        ('algorithm = "sm2"', 'algorithm = "sm9"', "Line 45 of the ceremony file, key.1.algorithm: input should be"),
        ('algorithm = "rsa-3072"', 'algorithm = "rsa-1024"', "Line 51 of the ceremony file, key.2.algorithm:"),
        ('role = "witness"', 'role = "ghost"', "Line 24 of the ceremony file, person.3.role: input should be"),
        ('role = "witness"', "", "Line 22 of the ceremony file, person.3.role: is missing."),
        ('role = "witness"', 'role = "operator"', "person.role: at least one person is a witness."),
        ('role = "operator"', 'role = "master"', "person.role: there is one master of ceremony, not 2."),
        ('role = "master"', 'role = "witness"', "person.role: there is one master of ceremony, not 0."),
        ('name = "钱芳"', 'name = "赵明"', "person.name: 赵明 is named twice; one person has one role."),
        ('name = "machine-2"', 'name = "machine-1"', "machine.name: machine-1 is named twice."),
        ('label = "ca-rsa-root-2030"', 'label = "ca-sm2-root-2030"', "key.label: ca-sm2-root-2030 is named twice."),
        ("rehearsal = true", "", "machine.serial: the serial number of machine-1 is missing; only a rehearsal"),
        ("rehearsal = true", 'rehearsal = "perhaps"', "Line 11 of the ceremony file, ceremony.rehearsal:"),
        ('name = "machine-3"', 'name = "machine-3"\nfirmware = "1"', "machine.3.firmware: is not known."),
        ("[before]", "[after]", "Line 40 of the ceremony file, after: is not known."),
        ('label = "ca-sm2-root-2030"', 'label = ""', "Line 44 of the ceremony file, key.1.label:"),
        ('label = "ca-sm2-root-2030"', f'label = "{"x" * 65}"', "a key's label has 1 to 64 printable characters."),
        ('name = "孙立"', 'name = "孙立\\u001b[2J"', "person.3.name: must be one line without control characters"),
        ('name = "孙立"', 'name = " 孙立"', "person.3.name: must be one line without control characters"),
        ("CN=Provincial RSA Root,", "XX=Provincial RSA Root,", "Line 53 of the ceremony file, key.2.request_subject:"),
        ("O=某省人民政府,C=CN", "C=China", "a country is two letters"),
        ('purpose = "ca"', 'purpose = "encryption"', "key.1: a key for encryption signs no certificate request."),
        ('purpose = "ca"', 'purpose = "ca"\nusage_limit = 0', "key.1.usage_limit: input should be greater than"),
        ('purpose = "ca"', 'purpose = "ca"\nmachines = ["machine-9"]', "key.machines: the key ca-sm2-root-2030 is to"),
        ('[[key]]\nlabel = "ca-sm2', '[[KEY]]\nlabel = "ca-sm2', "KEY: is not known."),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_sentence_that_names_the_place(old: str, new: str, sentence: str) -> None:
    text = SAMPLE.decode()
    assert old in text
    with pytest.raises(MalformedError) as caught:
        parse(text.replace(old, new, 1).encode())
    assert caught.value.code == "hsm.ceremony.file"
    assert sentence in caught.value.detail
    assert caught.value.detail.endswith(".")
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("threshold = 2", "threshold = 1", "activation.threshold: input should be greater than or equal to 2."),
        ("threshold = 2", "threshold = 4", "activation.threshold: no more shares can be needed than there are."),
        ("shares = 3", "shares = 4", "activation.shares: 4 shares need as many custodians, and the file names 3."),
        ("shares = 3", "shares = 33", "activation.shares: input should be less than or equal to 32."),
    ],
)
def test_shares_that_do_not_fit_the_custodians_are_refused(old: str, new: str, sentence: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(WITH_SHARES.decode().replace(old, new).encode())
    assert sentence in caught.value.detail


def test_a_file_needs_two_reviewers_beside_the_master() -> None:
    text = SAMPLE.decode()
    first, last = text.index('[[person]]\nname = "钱芳"'), text.index('[[person]]\nname = "孙立"')
    text = text[:first] + text[last:]
    text = text.replace('[[person]]\nname = "李华"\nrole = "reviewer"\n', "")
    with pytest.raises(MalformedError, match="at least three persons"):
        parse(text.encode())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "ceremony: is missing."),
        (b"\xff", "Line 1 of the ceremony file is not UTF-8."),
        (b"a = 1\n\xff\n", "Line 2 of the ceremony file is not UTF-8."),
        (b"#" * (64 * 1024 + 1), "larger than 64 KiB."),
        (b"\xef\xbb\xbf[ceremony]", "not TOML"),
    ],
)
def test_what_is_no_file_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(data)
    assert sentence in caught.value.detail


@given(at=st.integers(0, len(SAMPLE) - 1), octet=st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused_and_its_digest_differs(at: int, octet: int) -> None:
    data = SAMPLE[:at] + bytes([octet]) + SAMPLE[at + 1 :]
    assert (file_digest(data) == file_digest(SAMPLE)) == (data == SAMPLE)
    with suppress(MalformedError):
        plan(parse(data))


def test_machines_may_say_more_than_was_asked_and_nothing_else() -> None:
    assert differences({"serial": "1"}, {"serial": "1", "model": "x"}) == ()
    assert differences({"serial": "1", "model": "y"}, {"serial": "2"}) == ("serial", "model")
