"""The pages of the encryption machines, and what Prometheus reads."""

import pytest
from starlette.testclient import TestClient

from trustapp.wiring import Suite
from trustcore.errors import MalformedError

from support.portal import form_token, log_in

pytestmark = [pytest.mark.hsm, pytest.mark.xdist_group("portal")]


def test_every_machine_is_listed_with_its_numbers(browser: TestClient, passwords: dict[str, str], suite: Suite) -> None:
    log_in(browser, passwords, "admin")
    page = browser.get("/admin/machines?lang=en").text
    for name in ("machine-1", "machine-2", "machine-3"):
        assert f'href="/admin/machines/{name}"' in page
    assert page.count('<span class="badge valid">up</span>') >= 3
    assert "Busiest keys" in page
    assert "sm2-issuing" in page
    for number in ("p50", "p95", "p99", "Sessions", "Queue", "Last self-test"):
        assert number in page


def test_a_machine_is_taken_out_and_given_back(browser: TestClient, passwords: dict[str, str], suite: Suite) -> None:
    log_in(browser, passwords, "admin")
    path = "/admin/machines/machine-2?lang=en"
    form = {"act": "drain", "form_token": form_token(browser.get(path).text)}

    assert browser.post(path, data={**form, "form_token": "guess"}).status_code == 403
    assert "up" in browser.get(path).text

    drained = browser.post(path, data=form)
    assert drained.history, "the answer leads to a page that can be loaded again"
    assert "Give back" in drained.text
    served = {state.name: state.served for state in suite.hsm.machines()}["machine-2"]
    for _ in range(6):
        suite.hsm.random(8)
    assert {state.name: state.served for state in suite.hsm.machines()}["machine-2"] <= served + 1

    browser.post(path, data={**form, "act": "resume"})
    suite.hsm.operations.probe("machine-2")
    page = browser.get(path).text
    assert "Take out for maintenance" in page
    assert "given back" in page
    events = browser.get("/admin/events?lang=en").text
    assert "taken out" in events
    browser.post("/logout")
    log_in(browser, passwords, "auditor")
    assert "hsm.machine.drained" in browser.get("/admin/audit").text


def test_a_self_test_says_how_it_ended(browser: TestClient, passwords: dict[str, str]) -> None:
    log_in(browser, passwords, "admin")
    path = "/admin/machines/machine-1?lang=en"
    form = {"act": "probe", "form_token": form_token(browser.get(path).text)}
    page = browser.post(path, data=form).text
    assert "The self-test passed." in page
    assert "<code>softgm</code>" in page
    assert "<code>sm2-sign</code>" in page


def test_the_last_machine_is_not_taken_out_by_mistake(
    browser: TestClient, passwords: dict[str, str], suite: Suite
) -> None:
    log_in(browser, passwords, "admin")
    token = form_token(browser.get("/admin/machines/machine-1").text)
    for name in ("machine-1", "machine-2"):
        browser.post(f"/admin/machines/{name}", data={"act": "drain", "form_token": token})
    refused = browser.post("/admin/machines/machine-3?lang=en", data={"act": "drain", "form_token": token})
    assert "No machine but machine-3 answers" in refused.text
    for name in ("machine-1", "machine-2"):
        browser.post(f"/admin/machines/{name}", data={"act": "resume", "form_token": token})
        suite.hsm.operations.probe(name)
    assert all(state.up for state in suite.hsm.machines())


def test_a_machine_that_is_not_there_is_no_page(browser: TestClient, passwords: dict[str, str]) -> None:
    log_in(browser, passwords, "admin")
    assert browser.get("/admin/machines/machine-9").status_code == 404
    token = form_token(browser.get("/admin/machines/machine-1").text)
    answer = browser.post("/admin/machines/machine-9", data={"act": "drain", "form_token": token})
    assert answer.status_code == 404


def test_prometheus_reads_every_machine(browser: TestClient, suite: Suite) -> None:
    with pytest.raises(MalformedError):
        suite.hsm.random(-1)
    text = browser.get("/metrics").text
    for name in ("machine-1", "machine-2", "machine-3"):
        assert f'xinyin_hsm_calls_total{{machine="{name}"' in text
    assert "xinyin_hsm_call_seconds_bucket" in text
    assert "xinyin_hsm_signatures_total" in text
    assert "python_info" in text
