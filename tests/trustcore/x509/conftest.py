"""A workshop for certificates."""

import pytest

from trustcore.crypto.software import SoftwareKeys

from support.x509_workshop import Workshop


@pytest.fixture
def workshop(software_keys: SoftwareKeys) -> Workshop:
    return Workshop(software_keys)
