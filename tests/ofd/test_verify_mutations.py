"""Octets changed anywhere in any form of signature: a report, never an exception, no praise for what was changed."""

import random
from collections.abc import Callable

import pytest

from ofd.package.reader import Package, write_package
from ofd.sign.archive import ValidationData, prepare_archive
from ofd.verify.document import examine
from ofd.verify.forms import detailed_form, simple_form
from ofd.verify.policy import VerificationPolicy
from trustcore.report import Verdict

from support.ofd_samples import SIGNED_AT, VERIFIED_AT, Pki, make_token, unpack
from support.ofd_signing import (
    SIGNS,
    archive_value,
    attributes_value,
    content_value,
    first_seal_value,
    seal_value,
    sign_anyhow,
)

FORMS: dict[str, Callable[[Pki, bytes], bytes]] = {
    "first generation": lambda pki, document: sign_anyhow(document, first_seal_value(pki)),
    "fourth generation": lambda pki, document: sign_anyhow(
        document, seal_value(pki, token=lambda signature: make_token(pki, signature, at=SIGNED_AT))
    ),
    "attributes": lambda pki, document: sign_anyhow(
        document,
        attributes_value(pki, token=lambda signature: make_token(pki, signature, at=SIGNED_AT)),
        kind="Sign",
    ),
    "digest": lambda pki, document: sign_anyhow(document, content_value(pki), kind="Sign"),
    "bare": lambda pki, document: sign_anyhow(document, lambda xml, _: pki.signer.signer.sign(xml), kind="Sign"),
    "archive": lambda pki, document: sign_anyhow(
        sign_anyhow(document, seal_value(pki), closed=False),
        archive_value(pki.tsa, at=SIGNED_AT),
        kind="Sign",
        attributes=' Relative="s001"',
    ),
}


def policy_of(pki: Pki) -> VerificationPolicy:
    return VerificationPolicy(
        roots=(pki.root.certificate,),
        intermediates=(pki.issuing.certificate,),
        crls=pki.crls,
        at=VERIFIED_AT,
        signers=(pki.signer.certificate,),
    )


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One of: a bit, an octet, a stretch removed, doubled or filled with another."""
    place = chance.randrange(len(data))
    length = chance.choice((1, 1, 1, 2, 8, 64))
    stretch = data[place : place + length]
    match chance.randrange(5):
        case 0:
            new = bytes((stretch[0] ^ 1 << chance.randrange(8),)) + stretch[1:]
        case 1:
            new = b""
        case 2:
            new = stretch * 2
        case 3:
            new = chance.randbytes(len(stretch))
        case _:
            new = bytes((chance.choice((0, 0x80, 0xFF)),)) + stretch[1:]
    return data[:place] + new + data[place + length :]


def check(pki: Pki, form: str, document: bytes, rounds: int) -> None:
    files = unpack(FORMS[form](pki, document))
    names = [name for name in files if name.startswith(SIGNS)]
    policy = policy_of(pki)
    good = examine(write_package(files), policy)
    assert good.report.verdict is Verdict.VALID, good.report.problems
    chance = random.Random(form)  # noqa: S311 - the same mutations every time
    for _ in range(rounds):
        name = chance.choice(names)
        result = examine(write_package({**files, name: mutate(files[name], chance)}), policy)
        assert simple_form(result)
        assert detailed_form(result)
        if result.report.verdict is Verdict.VALID:
            # What no signature covers may be written otherwise, or lost like a time stamp; the rest stays the same.
            lost = {"signed_at", "signed_at_proven"} if result.report.facts["signed_at_proven"] == "false" else set()
            for fact, value in good.report.facts.items():
                assert fact in lost or result.report.facts.get(fact) == value, (name, fact)
            assert result.protected == good.protected or name.endswith("Signatures.xml"), name


@pytest.mark.parametrize("form", FORMS)
def test_a_few_mutations_of_each_form_give_a_report(pki: Pki, document: bytes, form: str) -> None:
    check(pki, form, document, 40)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_many_mutations_of_each_form_give_a_report(pki: Pki, document: bytes, form: str) -> None:
    check(pki, form, document, 1500)


def test_an_archive_of_ours_stands_mutations_of_its_validation_data(pki: Pki, document: bytes) -> None:
    first = sign_anyhow(document, seal_value(pki), closed=False)
    data = ValidationData(certificates=(pki.issuing.certificate.der,), crls=pki.crls)
    prepared = prepare_archive(first, at=SIGNED_AT, validation=data)
    archived = prepared.complete(make_token(pki, prepared.to_be_stamped, at=SIGNED_AT))
    files = unpack(archived)
    name = next(name for name in files if name.endswith("ValidationData.dat"))
    chance = random.Random(7)  # noqa: S311 - the same mutations every time
    for _ in range(40):
        changed = Package(archived).with_files({name: mutate(files[name], chance)})
        report = examine(changed, policy_of(pki)).report
        assert report.verdict is not Verdict.VALID or unpack(changed) == files
