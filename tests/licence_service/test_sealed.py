"""Licences under real seals: what is issued verifies, and not one octet of it can be changed unnoticed."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from licence_service.core.licence import Form, Licence
from licence_service.core.rows import read_rows
from licence_service.documents import FolderDocuments
from licence_service.service import LicenceService
from licence_service.settings import LicenceSettings
from ofd.fonts.faces import FontStack
from trustapp.adapters import LicenceSeals
from trustcore.protection import FieldCipher
from trustcore.report import Verdict

from support.seal_suite import Suite, make_suite

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"
ALL = (Form.OFD, Form.PDF, Form.SM2_PDF)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    made = make_suite(f"sqlite:///{tmp_path_factory.mktemp('seals') / 'seals.db'}")
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def sealing(suite: Suite, tmp_path_factory: pytest.TempPathFactory, fonts: FontStack) -> LicenceService:
    return LicenceService(
        database=suite.database,
        seals=LicenceSeals(suite.service),
        documents=FolderDocuments(tmp_path_factory.mktemp("documents")),
        cipher=FieldCipher(b"k" * 16, os.urandom),
        fonts=fonts,
        clock=suite.clock,
        random=os.urandom,
        settings=LicenceSettings(seal_id=suite.seal.id),
    )


@pytest.fixture(scope="module")
def licence(sealing: LicenceService) -> Licence:
    rows = read_rows(SAMPLES.read_bytes()).rows
    rarest = max(rows, key=lambda row: max(map(ord, row.record.name)))
    return sealing.issue(rarest.record, request_id="r1", forms=ALL)


@pytest.mark.parametrize("form", ALL)
def test_every_form_verifies_and_says_who_sealed_it(sealing: LicenceService, licence: Licence, form: Form) -> None:
    verification = sealing.verify(sealing.document(licence.identifier, form))
    assert [(step.code, step.en) for step in verification.report.problems] == []
    assert verification.report.verdict is Verdict.VALID
    assert verification.report.facts["signer"]
    assert verification.report.facts["signed_at_proven"] == "true"
    assert verification.licence == licence


def test_the_seal_covers_the_metadata(sealing: LicenceService, licence: Licence) -> None:
    """A relabelled copy of an OFD is refused, whichever part of the metadata is changed."""
    original = sealing.document(licence.identifier, Form.OFD)
    with zipfile.ZipFile(io.BytesIO(original)) as package:
        entries = {name: package.read(name) for name in package.namelist()}
    holding = [name for name, data in entries.items() if "晴川市".encode() in data]
    assert {"OFD.xml", "Doc_0/Attachs/attachment_1.xml", "Doc_0/Pages/Page_0/Content.xml"} <= set(holding)
    for changed in holding:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
            for name, data in entries.items():
                relabelled = data.replace("晴川市".encode(), "望江市".encode()) if name == changed else data
                package.writestr(name, relabelled)
        verification = sealing.verify(out.getvalue())
        assert verification.report.verdict is Verdict.INVALID, changed
        assert verification.licence is None


@pytest.mark.parametrize("form", [Form.PDF, Form.SM2_PDF])
def test_a_flipped_octet_anywhere_is_found(sealing: LicenceService, licence: Licence, form: Form) -> None:
    original = sealing.document(licence.identifier, form)
    for sample in range(12):
        position = int.from_bytes(hashlib.sha256(bytes([sample])).digest()[:4]) % len(original)
        changed = bytearray(original)
        changed[position] ^= 0x01
        verification = sealing.verify(bytes(changed))
        assert verification.report.verdict is not Verdict.VALID, position
        assert verification.licence is None


def test_a_flipped_octet_in_any_member_of_an_ofd_is_found(sealing: LicenceService, licence: Licence) -> None:
    with zipfile.ZipFile(io.BytesIO(sealing.document(licence.identifier, Form.OFD))) as package:
        entries = {name: package.read(name) for name in package.namelist()}
    for changed, content in entries.items():
        position = int.from_bytes(hashlib.sha256(changed.encode()).digest()[:4]) % len(content)
        flipped = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as package:
            for name, data in {**entries, changed: flipped}.items():
                package.writestr(name, data)
        verification = sealing.verify(out.getvalue())
        assert verification.report.verdict is not Verdict.VALID, (changed, position)
        assert verification.licence is None


def test_no_id_number_is_in_a_sealed_file(sealing: LicenceService, licence: Licence) -> None:
    for form in ALL:
        assert licence.record.representative_id.encode() not in sealing.document(licence.identifier, form)
