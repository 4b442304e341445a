"""What a citizen sees."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from licence_service.core.licence import Form, Licence
from licence_service.core.record import LicenceRecord
from licence_service.core.states import LicenceState
from licence_service.service import LicenceService
from licence_service.web.pages import create_pages
from trustcore.errors import BusyError


@pytest.fixture
def client(service: LicenceService) -> Iterator[TestClient]:
    app = FastAPI()
    app.mount("/v", create_pages(service))
    with TestClient(app, headers={"Accept-Language": "zh-CN"}) as opened:
        yield opened


@pytest.fixture
def licence(service: LicenceService, make_record: Callable[..., LicenceRecord]) -> Licence:
    return service.issue(make_record(), request_id="r1")


def test_the_page_says_that_the_licence_stands_and_what_was_checked(client: TestClient, licence: Licence) -> None:
    page = client.get(f"/v/{licence.token}")
    assert page.status_code == 200
    assert 'class="verdict valid"' in page.text
    assert "证照有效" in page.text
    for shown in (
        "晴川市示*******有限公司",
        "王*明",
        licence.identifier,
        "晴川市市场监督管理局",
        "印章与文件相符",
        "2030-01-15 17:30:00",
    ):
        assert shown in page.text


def test_the_page_speaks_english_when_asked(client: TestClient, licence: Licence) -> None:
    page = client.get(f"/v/{licence.token}?lang=en")
    assert "This licence is valid" in page.text
    assert "The seal fits the file" in page.text
    assert page.headers["content-language"] == "en-GB"
    assert "This licence is valid" in client.get(f"/v/{licence.token}").text
    assert "证照有效" in client.get(f"/v/{licence.token}?lang=zh").text


def test_nothing_personal_is_on_any_page(client: TestClient, licence: Licence, service: LicenceService) -> None:
    record = licence.record
    data = service.document(licence.identifier, Form.OFD)
    pages = [
        client.get(f"/v/{licence.token}"),
        client.get(f"/v/{licence.token}?lang=en"),
        client.post(f"/v/{licence.token}/check"),
        client.post("/v/", files={"file": data}),
        client.post(f"/v/{licence.token}/file", files={"file": data}),
    ]
    for page in pages:
        assert page.status_code == 200
        for secret in (record.representative_id, record.representative, record.name, record.domicile, record.scope):
            assert secret not in page.text
        assert record.representative_id not in str(page.headers)


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(client: TestClient, licence: Licence) -> None:
    page = client.get(f"/v/{licence.token}")
    assert re.findall(r"""(?:src|href|action)="(?!/|\?|#)[^"]*""", page.text) == []
    assert not re.search(r"<script|<style|\bstyle=|\bon[a-z]+=", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert 'name="viewport"' in page.text


@pytest.mark.parametrize(
    ("target", "words", "look"),
    [
        (LicenceState.CANCELLED, "证照已注销", "invalid"),
        (LicenceState.REVOKED, "证照已吊销", "invalid"),
        (LicenceState.WITHDRAWN, "证照已撤销", "invalid"),
        (LicenceState.VOID, "证照已作废", "invalid"),
        (LicenceState.SUSPENDED, "证照已暂扣", "unknown"),
    ],
)
def test_a_licence_that_does_not_stand_is_called_so(  # noqa: PLR0917 - parametrized
    client: TestClient, licence: Licence, service: LicenceService, target: LicenceState, words: str, look: str
) -> None:
    service.change_state(licence.identifier, target, reason="-", actor="test")
    page = client.get(f"/v/{licence.token}").text
    assert f'class="verdict {look}"' in page
    assert words in page
    assert "证照有效" not in page
    checked = client.post(f"/v/{licence.token}/check").text
    assert words in checked
    assert "证照有效" not in checked
    uploaded = client.post("/v/", files={"file": service.document(licence.identifier, Form.OFD)}).text
    assert words in uploaded
    assert 'class="verdict invalid"' in uploaded


def test_an_expired_licence_is_called_expired(
    client: TestClient, service: LicenceService, make_record: Callable[..., LicenceRecord]
) -> None:
    over = service.issue(make_record(valid_until=date(2029, 12, 31)), request_id="r1")
    assert "证照已过期" in client.get(f"/v/{over.token}").text


@pytest.mark.parametrize("token", ["A" * 26, "x", "%2e%2e%2fetc", "'><script>alert(1)</script>", "1.2.156.3005.2"])
def test_an_unknown_code_is_not_found(client: TestClient, token: str) -> None:
    page = client.get(f"/v/{token}")
    assert page.status_code == 404
    assert "没有这份证照" in page.text
    assert "<script" not in page.text


def test_a_second_look_notices_a_file_that_was_changed_on_disk(
    client: TestClient, licence: Licence, tmp_path: Path
) -> None:
    info = licence.document(Form.OFD)
    assert info is not None
    (path,) = tmp_path.rglob(info.sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    page = client.post(f"/v/{licence.token}/check")
    assert "证照文件未通过检查" in page.text
    assert "证照有效" not in page.text


def test_a_reload_after_a_form_leads_back_to_the_licence(client: TestClient, licence: Licence) -> None:
    for form in ("check", "file"):
        page = client.get(f"/v/{licence.token}/{form}?lang=en", follow_redirects=False)
        assert page.status_code == 303
        assert page.headers["location"] == f"/v/{licence.token}?lang=en"


def test_a_licence_whose_seal_is_missing_is_not_called_valid(
    client: TestClient, service: LicenceService, make_record: Callable[..., LicenceRecord], seals: object
) -> None:
    def down(_form: str) -> None:
        raise BusyError("no machine can sign now", code="hsm.pool.down")

    seals.before_stamp = down  # type: ignore[attr-defined]
    with pytest.raises(BusyError):
        service.issue(make_record(), request_id="r1")
    (pending,) = service.recent()
    for page in (client.get(f"/v/{pending.token}").text, client.post(f"/v/{pending.token}/check").text):
        assert "证照尚未签发完成" in page
        assert "证照有效" not in page


def test_a_fault_of_ours_is_a_page_without_internals(client: TestClient, licence: Licence, seals: object) -> None:
    def broken(_data: bytes) -> object:
        message = "secret detail"
        raise RuntimeError(message)

    seals.verify = broken  # type: ignore[attr-defined]
    quiet = TestClient(client.app, raise_server_exceptions=False, headers={"Accept-Language": "zh"})
    page = quiet.post(f"/v/{licence.token}/check")
    assert page.status_code == 500
    assert "现在无法查验" in page.text
    assert "secret detail" not in page.text


def test_the_file_of_the_licence_is_recognised(client: TestClient, licence: Licence, service: LicenceService) -> None:
    data = service.document(licence.identifier, Form.PDF)
    page = client.post(f"/v/{licence.token}/file", files={"file": ("a.pdf", data)}).text
    assert "文件真实，证照有效" in page
    assert licence.identifier in page


def test_the_file_of_another_licence_is_not_taken_for_it(
    client: TestClient, licence: Licence, service: LicenceService, make_record: Callable[..., LicenceRecord]
) -> None:
    other = service.issue(make_record(credit_code="91110000600037341L"), request_id="r2")
    data = service.document(other.identifier, Form.OFD)
    page = client.post(f"/v/{licence.token}/file", files={"file": data}).text
    assert "不是这份证照的文件" in page
    assert 'class="verdict valid"' not in page


@pytest.mark.parametrize("data", [b"hello", b"PK\x03\x04", b"%PDF-1.7", bytes(5000), b"<script>alert(1)</script>"])
def test_a_file_that_is_no_licence_is_not_valid(client: TestClient, data: bytes) -> None:
    page = client.post("/v/", files={"file": data})
    assert page.status_code == 200
    assert "文件无效" in page.text
    assert 'class="verdict valid"' not in page.text


def test_a_changed_file_is_not_valid(client: TestClient, licence: Licence, service: LicenceService) -> None:
    data = bytearray(service.document(licence.identifier, Form.OFD))
    data[len(data) // 2] ^= 1
    page = client.post("/v/", files={"file": bytes(data)}).text
    assert "文件无效" in page
    assert "印章与文件相符" in page


def test_an_upload_without_a_file_gets_a_page(client: TestClient) -> None:
    page = client.post("/v/", data={"other": "x"}, files={"nothing": b"x"})
    assert page.status_code == 400
    assert "请先选择一个文件" in page.text


def test_a_file_that_is_too_large_gets_a_page(open_service: Callable[..., LicenceService]) -> None:
    settings = open_service().settings.model_copy(update={"max_upload_bytes": 1000})
    client = TestClient(create_pages(open_service(settings=settings)))
    page = client.post("/", files={"file": bytes(100_000)})
    assert page.status_code == 422
    assert "文件过大" in page.text


def test_the_upload_page_is_there(client: TestClient) -> None:
    page = client.get("/v/?lang=en")
    assert page.status_code == 200
    assert "Verify a licence" in page.text
    assert 'enctype="multipart/form-data"' in page.text
