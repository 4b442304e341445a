"""Revocation lists: what stands in them, and when there is a new one."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from ca.models import CrlRow
from trustcore.errors import BusyError, InternalError, NotFoundError, RejectedError
from trustcore.x509.crl import Crl, RevocationReason

from support.authority import EPOCH, Died, Office, serial
from support.threads import at_once

REASON = RevocationReason.KEY_COMPROMISE


def read(office: Office, authority: str = "sm2-issuing") -> Crl:
    return Crl.from_der(office.service.crl(authority))


def lists(office: Office) -> int:
    with office.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(CrlRow)) or 0


@pytest.mark.parametrize("authority", ["sm2-issuing", "rsa-issuing"])
def test_a_revoked_certificate_is_on_the_next_list(office: Office, authority: str) -> None:
    certificate = office.issue(authority)
    before = read(office, authority)
    office.service.revoke(authority, f"00{serial(certificate).upper()}", reason=REASON)
    after = read(office, authority)
    assert before.lookup(certificate.serial_number) is None
    entry = after.lookup(certificate.serial_number)
    assert entry is not None
    assert (entry.at, entry.reason) == (EPOCH, REASON)
    assert after.number == (before.number or 0) + 1
    assert after.is_signed_by(office.authority(authority))
    assert after.next_update == EPOCH + timedelta(days=7)
    assert office.service.certificates(limit=1)[0].state == "revoked"


def test_revoking_again_changes_nothing(office: Office) -> None:
    certificate = office.issue()
    office.service.revoke("sm2-issuing", serial(certificate), reason=REASON)
    first = office.service.crl("sm2-issuing")
    office.clock.now += timedelta(hours=1)
    office.service.revoke("sm2-issuing", serial(certificate), reason=RevocationReason.SUPERSEDED)
    assert office.service.crl("sm2-issuing") == first


def test_unspecified_is_left_out(office: Office) -> None:
    """RFC 5280 §5.3.1: "the reason code CRL entry extension SHOULD be absent instead of using … unspecified"."""
    certificate = office.issue()
    office.service.revoke("sm2-issuing", serial(certificate), reason=RevocationReason.UNSPECIFIED)
    entry = read(office).lookup(certificate.serial_number)
    assert entry is not None
    assert entry.reason is None


@pytest.mark.parametrize("reason", [RevocationReason.CERTIFICATE_HOLD, RevocationReason.REMOVE_FROM_CRL])
def test_a_hold_is_refused(office: Office, reason: RevocationReason) -> None:
    certificate = office.issue()
    with pytest.raises(RejectedError) as refused:
        office.service.revoke("sm2-issuing", serial(certificate), reason=reason)
    assert refused.value.code == "ca.revocation.reason"


@pytest.mark.parametrize(("authority", "number"), [("sm2-issuing", "1234"), ("sm2-issuing", ""), ("nobody", "1")])
def test_what_is_not_there_cannot_be_revoked(office: Office, authority: str, number: str) -> None:
    with pytest.raises(NotFoundError):
        office.service.revoke(authority, number, reason=REASON)


def test_certificates_of_another_authority_are_not_listed(office: Office) -> None:
    certificate = office.issue("rsa-issuing")
    with pytest.raises(NotFoundError):
        office.service.revoke("sm2-issuing", serial(certificate), reason=REASON)
    office.service.revoke("rsa-issuing", serial(certificate), reason=REASON)
    assert not read(office).entries


def test_a_list_is_kept_until_its_end_is_near(office: Office) -> None:
    first = office.service.crl("sm2-issuing")  # made an hour ago, for 7 days
    office.clock.now = EPOCH + timedelta(days=3, hours=22)
    assert office.service.crl("sm2-issuing") == first
    office.clock.now = EPOCH + timedelta(days=4)
    second = read(office)
    assert second.this_update == office.clock.now
    assert second.der == office.service.crl("sm2-issuing")


def test_short_lived_lists_are_not_made_anew_for_each_reader(office: Office) -> None:
    """The default refresh of 3 days is longer than a list of 2 hours lives."""
    service = office.another_process(crl_lifetime=timedelta(hours=2))
    made = service.publish_crl("sm2-issuing")
    office.clock.now += timedelta(minutes=59)
    assert service.crl("sm2-issuing") == made
    office.clock.now += timedelta(minutes=2)
    assert service.crl("sm2-issuing") != made


def test_the_last_list_of_an_authority_ends_with_it(office: Office) -> None:
    authority = office.authority("sm2-issuing")
    office.clock.now = authority.not_after - timedelta(days=1)
    last = read(office)
    count = lists(office)
    assert last.next_update == authority.not_after
    office.clock.now += timedelta(hours=1)
    assert office.service.crl("sm2-issuing") == last.der
    office.clock.now = authority.not_after + timedelta(days=1)
    assert office.service.crl("sm2-issuing") == last.der
    assert lists(office) == count
    with pytest.raises(RejectedError) as refused:
        office.service.publish_crl("sm2-issuing")
    assert refused.value.code == "ca.crl.issuer-expired"


def test_the_list_before_stays_in_force_while_no_machine_serves(office: Office) -> None:
    first = office.service.crl("sm2-issuing")
    office.clock.now = EPOCH + timedelta(days=6)
    office.keys.weakness.down = True
    assert office.service.crl("sm2-issuing") == first
    office.clock.now = EPOCH + timedelta(days=8)
    with pytest.raises(BusyError):
        office.service.crl("sm2-issuing")
    office.keys.weakness.down = False
    assert read(office).this_update == office.clock.now


@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=1)])
def test_a_list_that_could_not_be_published_is_published_at_the_next_occasion(office: Office, later: timedelta) -> None:
    certificate = office.issue()
    office.service.publish_crl("sm2-issuing")
    office.keys.weakness.down = True
    office.clock.now += later
    with pytest.raises(BusyError):
        office.service.revoke("sm2-issuing", serial(certificate), reason=REASON)
    office.restart()
    if not later:  # asked again, in the same second as the list before
        office.service.revoke("sm2-issuing", serial(certificate), reason=REASON)
    entry = read(office).lookup(certificate.serial_number)
    assert entry is not None
    assert entry.at == EPOCH + later


@pytest.mark.parametrize("death", ["dies_before", "dies_after"])
def test_a_number_of_a_list_that_was_never_finished_is_not_used_again(office: Office, death: str) -> None:
    """RFC 5280 §5.2.3: numbers grow."""
    before = read(office).number or 0
    setattr(office.keys.weakness, death, True)
    with pytest.raises(Died):
        office.service.publish_crl("sm2-issuing")
    office.restart()
    assert read(office).number == before
    office.service.publish_crl("sm2-issuing")
    assert read(office).number == before + 2


def test_a_wrong_signature_of_a_machine_is_not_published(office: Office) -> None:
    before = office.service.crl("sm2-issuing")
    office.keys.weakness.wrong = True
    with pytest.raises(InternalError):
        office.service.publish_crl("sm2-issuing")
    assert office.service.crl("sm2-issuing") == before


def test_an_entry_stays_for_one_list_after_the_certificate_expired(office: Office) -> None:
    """RFC 5280 §3.3: "until it appears on one regularly scheduled CRL issued beyond the … validity period"."""
    certificate = office.issue(lifetime=timedelta(days=1))
    office.service.revoke("sm2-issuing", serial(certificate), reason=REASON)
    seen = []
    for days in (2, 3, 4):
        office.clock.now = EPOCH + timedelta(days=days)
        office.service.publish_crl("sm2-issuing")
        seen.append(certificate.serial_number in read(office).entries)
    assert seen == [True, False, False]


def test_lists_of_many_threads_have_numbers_of_their_own(office: Office) -> None:
    services = [office.service, office.another_process()]
    made = at_once(8, lambda number: services[number % 2].publish_crl("sm2-issuing"))
    numbers = sorted(Crl.from_der(der).number or 0 for der in made)
    assert numbers == list(range(2, 10))
    assert read(office).number == 9
