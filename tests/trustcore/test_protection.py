from datetime import UTC, datetime

import pytest

from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database
from trustcore.errors import MalformedError
from trustcore.protection import open_field_cipher

ID_NUMBER = "11010519491231002X"


def _clock() -> datetime:
    return datetime(2030, 1, 1, tzinfo=UTC)


def test_a_field_survives_and_is_another_each_time(database: Database, software_keys: SoftwareKeys) -> None:
    cipher = open_field_cipher(database, software_keys, _clock)
    first, second = cipher.encrypt(ID_NUMBER), cipher.encrypt(ID_NUMBER)

    assert first != second
    assert cipher.decrypt(first) == cipher.decrypt(second) == ID_NUMBER
    assert cipher.lookup(ID_NUMBER) == cipher.lookup(ID_NUMBER) != cipher.lookup("11010519491231003X")


def test_the_key_is_made_once_and_kept_wrapped(database: Database, software_keys: SoftwareKeys) -> None:
    sealed = open_field_cipher(database, software_keys, _clock).encrypt(ID_NUMBER)
    again = open_field_cipher(database, software_keys, _clock)

    assert again.decrypt(sealed) == ID_NUMBER


def test_a_changed_field_is_refused(database: Database, software_keys: SoftwareKeys) -> None:
    cipher = open_field_cipher(database, software_keys, _clock)
    sealed = cipher.encrypt(ID_NUMBER)
    changed = ("A" if sealed[20] != "A" else "B").join((sealed[:20], sealed[21:]))

    with pytest.raises(MalformedError) as caught:
        cipher.decrypt(changed)
    assert caught.value.code == "crypto.sm4.tag"
