"""The whole web application over real software machines: the portal, the administration, the prefixes."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import hsm.sdk.xinyin_hsm
from trustapp.asgi import create_app
from trustapp.wiring import Suite

from support.portal import log_in
from support.workplace import SAMPLES

pytestmark = [pytest.mark.hsm, pytest.mark.xdist_group("portal")]


def test_the_portal_speaks_both_languages(browser: TestClient) -> None:
    assert "信印可信服务平台" in browser.get("/?lang=zh").text
    english = browser.get("/?lang=en").text
    assert "Verify a licence" in english
    assert 'lang="en"' in english
    assert "/ca/crl/sm2-issuing.crl" in english


def test_every_service_has_its_document_and_integrators_their_page(browser: TestClient) -> None:
    for name in ("hsm", "ca", "seal", "licence", "sso"):
        assert browser.get(f"/{name}/openapi.json").json()["openapi"]
    assert "grant_type=client_credentials" in browser.get("/developers").text


def test_integrators_get_the_sdk_as_it_is(browser: TestClient) -> None:
    page = browser.get("/developers").text
    assert 'href="/developers/xinyin_hsm.py"' in page
    answer = browser.get("/developers/xinyin_hsm.py")
    assert answer.content == Path(hsm.sdk.xinyin_hsm.__file__).read_bytes()
    assert "attachment" in answer.headers["content-disposition"]


def test_the_probes_answer(browser: TestClient) -> None:
    assert browser.get("/healthz").json()["status"] == "ok"
    assert browser.get("/readyz").json()["status"] == "ready"
    assert "python_info" in browser.get("/metrics").text


def test_people_get_a_page_and_programs_a_problem_for_what_is_not_there(browser: TestClient) -> None:
    page = browser.get("/nothing")
    assert page.status_code == 404
    assert "text/html" in page.headers["content-type"]
    problem = browser.get("/nothing", headers={"Accept": "application/json"})
    assert problem.json()["code"] == "http.404"


def test_the_administration_is_behind_the_login(browser: TestClient) -> None:
    for path in ("/admin/", "/admin/machines", "/admin/audit", "/admin/licences/x", "/admin/licences/x/ofd"):
        answer = browser.get(path, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?return_to=/admin")


@pytest.mark.parametrize(
    ("username", "opens", "refuses"),
    [
        ("admin", ["machines", "certificates"], ["audit", "licences", "applications"]),
        ("security", ["certificates", "applications", "seals"], ["machines", "audit", "licences"]),
        ("auditor", ["audit", "audit?after=check"], ["machines", "certificates", "licences"]),
        ("operator", ["seals", "licences"], ["machines", "audit", "applications"]),
    ],
)
def test_each_role_opens_its_own_pages(
    browser: TestClient, passwords: dict[str, str], username: str, opens: list[str], refuses: list[str]
) -> None:
    home = log_in(browser, passwords, username)
    for page in opens:
        assert browser.get(f"/admin/{page}").status_code == 200
        assert f"/admin/{page.split('?')[0]}" in home
    for page in refuses:
        assert browser.get(f"/admin/{page}").status_code == 403
        assert f'href="/admin/{page}"' not in home


def test_the_login_leads_back_to_the_page_that_was_wanted(browser: TestClient, passwords: dict[str, str]) -> None:
    assert "machine-3" in log_in(browser, passwords, "admin", "/admin/machines")


def test_an_operator_suspends_a_licence_and_citizens_see_it_at_once(
    browser: TestClient, passwords: dict[str, str], suite: Suite
) -> None:
    log_in(browser, passwords, "operator")
    licence = suite.licences.recent()[0]
    path = f"/admin/licences/{licence.identifier}"
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(path).text)
    assert token
    form = {"target": "suspended", "reason": "查处中", "form_token": token[1]}

    assert browser.post(path, data={**form, "form_token": "guess"}).status_code == 403
    assert browser.post(path, data=form).status_code == 200
    assert "已暂扣" in browser.get(path).text
    assert "已暂扣" in browser.get(f"/v/{licence.token}").text

    assert browser.post(path, data={**form, "target": "valid"}).status_code == 200
    assert "证照有效" in browser.get(f"/v/{licence.token}").text
    again = browser.post(path, data={**form, "target": "valid"})
    assert again.status_code == 200


def test_an_operator_downloads_the_sealed_file(browser: TestClient, passwords: dict[str, str], suite: Suite) -> None:
    log_in(browser, passwords, "operator")
    licence = suite.licences.recent()[0]
    answer = browser.get(f"/admin/licences/{licence.identifier}/pdf")

    assert answer.content.startswith(b"%PDF")
    assert f'filename="{licence.identifier}.pdf"' in answer.headers["content-disposition"]


def test_who_logs_out_is_out(browser: TestClient, passwords: dict[str, str]) -> None:
    log_in(browser, passwords, "admin")
    browser.post("/logout")
    assert browser.get("/admin/machines", follow_redirects=False).status_code == 303


def test_one_service_can_be_served_alone(suite: Suite) -> None:
    with TestClient(create_app(suite, only=["ca"]), base_url=suite.settings.public_url) as client:
        assert client.get("/ca/crl/sm2-issuing.crl").status_code == 200
        assert client.get("/licence/openapi.json").status_code == 404
        assert client.get("/").status_code == 404


def test_no_page_or_log_row_shows_an_identity_number(
    browser: TestClient, passwords: dict[str, str], suite: Suite
) -> None:
    log_in(browser, passwords, "operator")
    numbers = re.findall(r"(?<!\d)\d{17}[\dX](?!\d)", SAMPLES.read_text("utf-8-sig"))
    licence = suite.licences.recent()[0]
    paths = ("/admin/licences", f"/admin/licences/{licence.identifier}", f"/v/{licence.token}")
    shown = "".join(browser.get(path).text for path in paths)

    assert len(numbers) > 50
    assert not [number for number in numbers if number in shown]
    stored = (Path(suite.settings.data_dir) / "xinyin.db").read_bytes()
    assert not [number for number in numbers if number.encode() in stored]
