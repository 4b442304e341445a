"""Where one service's words are another's, over a real installation."""

from datetime import timedelta

import pytest

from hsm.store.keys import KeyFilter
from sso.core.roles import Role
from sso.logins import Credentials
from trustapp.adapters import InstallationJudge, KeyPersons
from trustapp.wiring import Suite
from trustcore.errors import ForbiddenError, MalformedError, RejectedError
from trustcore.report import Status, Verdict
from trustcore.signing import KeyPurpose

pytestmark = [pytest.mark.hsm, pytest.mark.xdist_group("portal")]

_PASSWORD = "a long enough pass phrase 7"


@pytest.fixture
def persons(suite: Suite) -> KeyPersons:
    return KeyPersons(suite.sso)


def _add(suite: Suite, username: str, role: Role) -> None:
    first = suite.sso.accounts.ensure(username, display_name=username, roles=(role,), actor="test")
    if first is not None:
        credentials = Credentials(username=username, password=first, new_password=_PASSWORD, address="test")
        suite.sso.login(credentials, previous=None)


def _seal_certificate(suite: Suite) -> bytes:
    keys = suite.hsm.keys(wanted=KeyFilter(purpose=KeyPurpose.SEAL, algorithm="sm2"))
    label = next(key.label for key in keys if key.label.startswith("seal-") and key.label.endswith("-sm2"))
    (certificate_der,) = suite.hsm.certificates(label)
    return certificate_der


def test_an_administrator_of_keys_is_known_by_password(suite: Suite, persons: KeyPersons) -> None:
    _add(suite, "keeper", Role.SECURITY_ADMINISTRATOR)
    person = persons.verify("keeper", _PASSWORD)
    assert person.startswith("user:")
    assert persons.verify("keeper", _PASSWORD) == person


def test_who_is_not_known_or_has_no_role_agrees_to_nothing(suite: Suite, persons: KeyPersons) -> None:
    _add(suite, "clerk", Role.OPERATOR)
    _add(suite, "keeper", Role.SECURITY_ADMINISTRATOR)
    with pytest.raises(ForbiddenError):
        persons.verify("clerk", _PASSWORD)
    for username, password in (("keeper", "wrong"), ("nobody", _PASSWORD), ("", "")):
        with pytest.raises(RejectedError) as caught:
            persons.verify(username, password)
        assert caught.value.code == "sso.login.refused"


def test_a_one_time_password_proves_nobody(suite: Suite, persons: KeyPersons) -> None:
    first = suite.sso.accounts.ensure("fresh", display_name="fresh", roles=(Role.SECURITY_ADMINISTRATOR,), actor="test")
    assert first
    with pytest.raises(RejectedError) as caught:
        persons.verify("fresh", first)
    assert caught.value.code == "sso.login.password-change-required"


def test_the_installations_own_certificates_are_valid_and_not_before_they_were_made(suite: Suite) -> None:
    judge = InstallationJudge(suite.ca, suite.settings.hsm.gateway)
    certificate_der = _seal_certificate(suite)
    now = suite.clock()
    assert judge.validate(certificate_der, now).verdict is Verdict.VALID
    early = judge.validate(certificate_der, now - timedelta(days=3650))
    assert early.verdict is not Verdict.VALID
    assert any(step.code.endswith(".validity") and step.status is Status.FAILED for step in early.steps)


def test_another_authoritys_certificate_is_not_valid_and_garbage_is_refused(suite: Suite) -> None:
    judge = InstallationJudge(suite.ca, suite.settings.hsm.gateway)
    certificate_der = _seal_certificate(suite)
    changed = certificate_der[:-1] + bytes([certificate_der[-1] ^ 1])
    assert judge.validate(changed, suite.clock()).verdict is not Verdict.VALID
    with pytest.raises(MalformedError):
        judge.validate(b"no certificate", suite.clock())
