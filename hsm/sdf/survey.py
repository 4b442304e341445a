"""Which key pairs an SDF machine holds at the indexes that the settings declare."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from hsm.core import encoding, sdf
from hsm.core.sdf import EccForm
from hsm.errors import MachineUnfitError
from hsm.sdf.failures import KEY_MISSING, SdfError
from hsm.sdf.sessions import Lane
from hsm.settings import SdfSettings
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError

__all__ = ["Pair", "Survey", "survey"]

_RSA_ALGORITHMS = {2048: KeyAlgorithm.RSA_2048, 3072: KeyAlgorithm.RSA_3072}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A key pair at an index."""

    index: int
    algorithm: KeyAlgorithm
    public_key_der: bytes
    """SubjectPublicKeyInfo."""
    decrypts: bool = False
    """It is the encryption pair of the index, and not the signature pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found."""

    pairs: Mapping[bytes, Pair] = field(default_factory=dict)
    """Signature pairs by public key, in the order of the settings."""
    encryption_pairs: Mapping[bytes, Pair] = field(default_factory=dict)
    form: EccForm = EccForm.WIDE
    """How the library writes ECC structures."""

    def places(self) -> dict[tuple[int, bool, bool], bytes]:
        """The public key at each index, of each kind."""
        return {
            (pair.index, pair.decrypts, pair.algorithm is KeyAlgorithm.SM2): pair.public_key_der for pair in self.all()
        }

    def all(self) -> Iterator[Pair]:
        """Every pair."""
        yield from self.pairs.values()
        yield from self.encryption_pairs.values()


def survey(machine: str, lane: Lane, settings: SdfSettings) -> Survey:
    """Read the public keys of all declared indexes; an index that is still empty is passed over.

    Raises:
        MachineUnfitError: ``hsm.profile.unfit`` when the structures are none that we know.
        SdfError: the machine failed.
    """
    structures = _read(lane.library.sign_public_key_ecc, lane, settings.sm2)
    form = _form(machine, structures)
    pairs = [_sm2_pair(machine, index, structure, form) for index, structure in structures.items()]
    for index, structure in _read(lane.library.sign_public_key_rsa, lane, settings.rsa).items():
        pair = _rsa_pair(machine, index, structure)
        if pair is not None:
            pairs.append(pair)
    encryption_pairs: list[Pair] = []
    if settings.decrypt is not None:
        structures = _read(lane.library.encryption_public_key_ecc, lane, settings.sm2)
        encryption_pairs = [
            _sm2_pair(machine, index, structure, form, decrypts=True) for index, structure in structures.items()
        ]
    return Survey(pairs=_by_public_key(pairs), encryption_pairs=_by_public_key(encryption_pairs), form=form)


def _read(export: Callable[[object, int], bytes], lane: Lane, indexes: tuple[int, ...]) -> dict[int, bytes]:
    structures = {}
    for index in indexes:
        try:
            structures[index] = export(lane.session, index)
        except SdfError as error:
            if error.code != KEY_MISSING:
                raise
    return structures


def _form(machine: str, structures: Mapping[int, bytes]) -> EccForm:
    for structure in structures.values():
        try:
            return sdf.ecc_form(structure)
        except MalformedError as error:
            raise _wrong_structures(machine) from error
    return EccForm.WIDE


def _sm2_pair(machine: str, index: int, structure: bytes, form: EccForm, *, decrypts: bool = False) -> Pair:
    try:
        public_key_der = sdf.ecc_public_key_der(structure, form)
    except MalformedError as error:
        raise _wrong_structures(machine) from error
    return Pair(index=index, algorithm=KeyAlgorithm.SM2, public_key_der=public_key_der, decrypts=decrypts)


def _rsa_pair(machine: str, index: int, structure: bytes) -> Pair | None:
    """The RSA pair, unless it has a length that we have no use for."""
    try:
        bits, modulus, exponent = sdf.rsa_public_numbers(structure)
    except MalformedError as error:
        raise _wrong_structures(machine) from error
    if bits not in _RSA_ALGORITHMS:
        return None
    public_key_der = encoding.rsa_public_key_der(modulus, exponent)
    return Pair(index=index, algorithm=_RSA_ALGORITHMS[bits], public_key_der=public_key_der)


def _by_public_key(pairs: list[Pair]) -> dict[bytes, Pair]:
    found: dict[bytes, Pair] = {}
    for pair in pairs:
        found.setdefault(pair.public_key_der, pair)
    return found


def _wrong_structures(machine: str) -> MachineUnfitError:
    return MachineUnfitError(
        machine,
        f"The encryption machine {machine} is refused: its public keys have no form of GM/T 0018-2012; ask its vendor "
        "for the header of the library.",
        code="hsm.profile.unfit",
    )
