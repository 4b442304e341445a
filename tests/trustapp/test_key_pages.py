"""The pages of the keys in the machines and of what two persons agree to."""

import pytest
from starlette.testclient import TestClient

from hsm.core.approvals import ApprovalAct, ApprovalState
from hsm.core.lifecycle import KeyState
from hsm.store.keys import KeyFilter
from trustapp.wiring import Suite
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.signing import KeyPurpose
from trustcore.x509.certificate import Certificate

from support.portal import form_token, log_in

pytestmark = [pytest.mark.hsm, pytest.mark.xdist_group("portal")]


@pytest.fixture
def label(suite: Suite, request: pytest.FixtureRequest) -> str:
    name = f"page-{request.node.name}"[:60]
    suite.hsm.generate(name, KeyAlgorithm.EC_P256)
    return name


def test_the_inventory_lists_keys_and_filters_them(
    browser: TestClient, passwords: dict[str, str], suite: Suite, label: str
) -> None:
    log_in(browser, passwords, "security")
    everything = browser.get("/admin/keys").text
    assert f'href="/admin/keys/{label}"' in everything
    assert "sm2-root" in everything
    authorities = browser.get("/admin/keys?purpose=ca").text
    assert "sm2-root" in authorities
    assert label not in authorities
    assert "No key is like this." in browser.get("/admin/keys?state=destroyed&purpose=audit&lang=en").text
    assert browser.get("/admin/keys?state=nonsense").status_code == 200


def test_a_key_shows_where_it_is_and_its_certificates(
    browser: TestClient, passwords: dict[str, str], suite: Suite
) -> None:
    log_in(browser, passwords, "security")
    inventory = suite.hsm.keys(wanted=KeyFilter(purpose=KeyPurpose.CA))
    key = next(key for key in inventory if "sm2-issuing" in key.label)
    page = browser.get(f"/admin/keys/{key.label}?lang=en").text
    assert all(f"machine-{number}" in page for number in (1, 2, 3))
    assert key.uri in page
    assert suite.hsm.certificates(key.label)
    assert all(Certificate.from_der(der).fingerprint_sha256 in page for der in suite.hsm.certificates(key.label))
    assert browser.get("/admin/keys/no-such-key").status_code == 404


def test_a_key_is_suspended_activated_and_destroyed_from_its_page(
    browser: TestClient, passwords: dict[str, str], suite: Suite, label: str
) -> None:
    log_in(browser, passwords, "security")
    path = f"/admin/keys/{label}?lang=en"
    token = form_token(browser.get(path).text)

    def act(name: str, **fields: str) -> str:
        return browser.post(path, data={"act": name, "form_token": token, **fields}).text

    assert browser.post(path, data={"act": "suspend", "form_token": "guess"}).status_code == 403
    act("suspend")
    assert suite.hsm.key(label).state is KeyState.SUSPENDED
    act("activate")
    assert suite.hsm.key(label).state is KeyState.ACTIVE
    assert "only a key that is" in act("destroy", sure=label), "a key in use is not destroyed"
    act("retire")
    assert "type the key&#39;s label" in act("destroy", sure="another")
    assert suite.hsm.key(label).state is KeyState.RETIRED
    act("destroy", sure=label)
    assert suite.hsm.key(label).state is KeyState.DESTROYED


def test_two_persons_agree_and_one_person_cannot_twice(
    browser: TestClient, passwords: dict[str, str], suite: Suite, label: str
) -> None:
    asked = suite.hsm.request_approval(ApprovalAct.DESTROY, label, {}, actor="cli:root")
    path = f"/admin/approvals/{asked.id}"

    def vote(person: str) -> str:
        log_in(browser, passwords, person)
        page = browser.get("/admin/approvals?lang=en").text
        token = form_token(page) if "form_token" in page else ""
        answer = browser.post(path, data={"vote": "approve", "form_token": token}).text
        again = browser.post(f"{path}?lang=en", data={"vote": "approve", "form_token": token}).text
        assert "cannot agree to the request" in again or "can be decided no more" in again
        browser.post("/logout")
        return answer

    assert "1 / 2" in vote("security")
    assert "2 / 2" in vote("admin")
    (found,) = [approval for approval in suite.hsm.pending() if approval.id == asked.id]
    assert found.state(suite.clock()) is ApprovalState.APPROVED
    assert len({consent.person for consent in found.consents}) == 2


def test_a_request_is_refused_from_the_page(
    browser: TestClient, passwords: dict[str, str], suite: Suite, label: str
) -> None:
    asked = suite.hsm.request_approval(ApprovalAct.DESTROY, label, {}, actor="cli:root")
    log_in(browser, passwords, "security")
    token = form_token(browser.get("/admin/approvals").text)
    page = browser.post(f"/admin/approvals/{asked.id}?lang=en", data={"vote": "refuse", "form_token": token}).text
    assert "refused" in page
    assert asked.id not in {approval.id for approval in suite.hsm.pending()}
    assert browser.post("/admin/approvals/nothing", data={"vote": "refuse", "form_token": token}).status_code == 404


def test_an_operator_opens_neither_keys_nor_approvals(browser: TestClient, passwords: dict[str, str]) -> None:
    log_in(browser, passwords, "operator")
    for path in ("/admin/keys", "/admin/keys/sm2-root", "/admin/approvals", "/admin/events"):
        assert browser.get(path).status_code == 403
