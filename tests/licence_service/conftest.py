"""A licence service on a real database, a real folder and real fonts; only the seal is simulated."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import count
from pathlib import Path

import pytest

from licence_service.core.record import LONG_TERM, LicenceRecord
from licence_service.documents import FolderDocuments
from licence_service.ports import Documents, Unsealed
from licence_service.service import LicenceService
from licence_service.settings import LicenceSettings
from ofd.fonts.faces import FontStack, find_fonts
from trustcore.database import Database
from trustcore.errors import MalformedError, RejectedError, TrustError
from trustcore.protection import FieldCipher
from trustcore.report import Report, ReportBuilder

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"
CITIZEN_NUMBER = "11010519491231002X"
"""The example of GB 11643-1999 annex A."""

_KEY = b"the seal's key in the simulation"
_MARK = b"\n%simulated-seal:"


class SimulatedSeals:
    """Seals with a keyed digest behind the file: a changed file does not verify, as with the real seal."""

    def __init__(self) -> None:
        self.stamped: list[str] = []
        self.before_stamp: Callable[[str], None] = lambda _form: None

    def stamp(self, seal_id: str, documents: Sequence[Unsealed]) -> tuple[bytes | TrustError, ...]:
        answers: list[bytes | TrustError] = []
        stopped: TrustError | None = None
        for document in documents:
            try:
                answers.append(stopped or self._stamp(seal_id, document))
            except (RejectedError, MalformedError) as error:
                answers.append(error)
            except TrustError as error:
                stopped = error
                answers.append(error)
        return tuple(answers)

    def verify(self, data: bytes) -> Report:
        builder = ReportBuilder("file")
        content, mark, value = data.rpartition(_MARK)
        expected = hmac.new(_KEY, content, hashlib.sha256).hexdigest().encode()
        ok = builder.check(
            bool(mark) and hmac.compare_digest(value, expected),
            "simulated.seal",
            zh="印章与文件相符",
            en="The seal fits the file",
            clause="GB/T 38540-2020 §7.3",
        )
        if ok:
            builder.facts.update(
                signer="晴川市市场监督管理局", seal_name="晴川市市场监督管理局", signed_at="2030-01-15T09:30:00Z"
            )
        return builder.build()

    def _stamp(self, seal_id: str, document: Unsealed) -> bytes:
        assert seal_id == "department"
        assert document.data.startswith(b"PK" if document.form == "ofd" else b"%PDF")
        assert document.box_mm[2] == document.box_mm[3] > 0
        self.before_stamp(document.form)
        self.stamped.append(document.form)
        return document.data + _MARK + hmac.new(_KEY, document.data, hashlib.sha256).hexdigest().encode()


@pytest.fixture(scope="session")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture
def seals() -> SimulatedSeals:
    return SimulatedSeals()


@pytest.fixture
def documents(tmp_path: Path) -> FolderDocuments:
    return FolderDocuments(tmp_path / "documents")


@pytest.fixture
def cipher(random: Callable[[int], bytes]) -> FieldCipher:
    return FieldCipher(b"k" * 16, random)


@pytest.fixture
def random() -> Callable[[int], bytes]:
    """Octets that differ at every call and are the same in every run."""
    calls = count()
    return lambda length: hashlib.shake_128(str(next(calls)).encode()).digest(length)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def open_service(  # noqa: PLR0917 - fixtures
    database: Database,
    seals: SimulatedSeals,
    documents: FolderDocuments,
    cipher: FieldCipher,
    fonts: FontStack,
    clock: Clock,
    random: Callable[[int], bytes],
) -> Callable[..., LicenceService]:
    """Another process on the same database and folder; collaborators may be replaced."""

    def build(*, documents: Documents = documents, settings: LicenceSettings | None = None) -> LicenceService:
        return LicenceService(
            database=database, seals=seals, documents=documents, cipher=cipher, fonts=fonts, clock=clock,
            random=random, settings=settings or LicenceSettings(),
        )  # fmt: skip

    return build


@pytest.fixture
def service(open_service: Callable[..., LicenceService]) -> LicenceService:
    return open_service()


@pytest.fixture
def make_record() -> Callable[..., LicenceRecord]:
    def make(**changes: object) -> LicenceRecord:
        fields: dict[str, object] = {
            "credit_code": "91350100M000100Y43",
            "name": "晴川市示例云图信息技术有限公司",
            "company_type": "有限责任公司(自然人独资)",
            "representative": "王小明",
            "representative_id": CITIZEN_NUMBER,
            "registered_capital": "500万元人民币",
            "established_on": date(2019, 5, 8),
            "valid_from": date(2019, 5, 8),
            "valid_until": LONG_TERM,
            "domicile": "晴川市云岭区示例大道1号",
            "scope": "软件开发；信息技术咨询服务。",
            "registration_authority": "晴川市市场监督管理局",
            "approved_on": date(2026, 1, 8),
        }
        return LicenceRecord(**{**fields, **changes})  # type: ignore[arg-type]

    return make
