"""The PKI and the documents of the OFD tests."""

import pytest

from support.ofd_samples import Pki, sample_document, sample_pki, sealed_sample


@pytest.fixture(scope="session")
def pki() -> Pki:
    return sample_pki()


@pytest.fixture(scope="session")
def document() -> bytes:
    return sample_document()


@pytest.fixture(scope="session")
def sealed() -> bytes:
    return sealed_sample()
