"""The files a signature protects: each Reference against the file in the package."""

from collections.abc import Sequence
from dataclasses import dataclass

from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.sign.parts import Reference
from trustcore.crypto.algorithms import DIGESTS, DigestAlgorithm
from trustcore.errors import MalformedError

__all__ = ["ReferenceCheck", "check_references", "digest_algorithm", "is_weak"]

_WEAK = frozenset({"md5", "sha1", "1.2.840.113549.2.5", "1.3.14.3.2.26"})
_NAMES = {name: details.algorithm for details in DIGESTS.values() for name in (str(details.algorithm), details.oid)}
_SM3_VARIANTS = {"1.2.156.10197.1.401.1": DigestAlgorithm.SM3, "1.2.156.10197.1.401.2": DigestAlgorithm.SM3}
"""OIDs of SM3 without key and with key (GM/T 0006-2012), both written for plain SM3 in the wild."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCheck:
    """How the protected files fared; entry names."""

    intact: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    """The entry itself cannot be unpacked."""
    repeated: tuple[str, ...]
    """Listed twice."""

    @property
    def is_right(self) -> bool:
        """Whether all files are there, listed once, and unchanged."""
        return bool(self.intact) and not (self.changed or self.missing or self.damaged or self.repeated)


def digest_algorithm(check_method: str) -> DigestAlgorithm | None:
    """The hash a ``CheckMethod`` means, by name or OID; ``None`` for unknown and weak ones."""
    name = _canonical(check_method)
    return _NAMES.get(name) or _SM3_VARIANTS.get(name)


def is_weak(check_method: str) -> bool:
    """Whether a ``CheckMethod`` is MD5 or SHA-1, for which other content with the same digest can be made."""
    return _canonical(check_method) in _WEAK


def check_references(
    package: Package,
    references: Sequence[Reference],
    algorithm: DigestAlgorithm,
    *,
    progress: Progress = silent,
) -> ReferenceCheck:
    """Compare the digest of every protected file with its unpacked content, without canonicalisation.

    Args:
        package: the document.
        references: of one signature.
        algorithm: that made the digests.
        progress: told files.
    """
    found: dict[str, list[str]] = {"intact": [], "changed": [], "missing": [], "damaged": [], "repeated": []}
    seen: set[str] = set()
    total = len(references)
    for done, reference in enumerate(references, start=1):
        progress(done, total)
        if reference.name in seen:
            found["repeated"].append(reference.name)
            continue
        seen.add(reference.name)
        found[_outcome(package, reference, algorithm)].append(reference.name)
    return ReferenceCheck(**{name: tuple(names) for name, names in found.items()})


def _outcome(package: Package, reference: Reference, algorithm: DigestAlgorithm) -> str:
    if reference.name not in package:
        return "missing"
    try:
        found = package.digest(reference.name, algorithm)
    except MalformedError:
        return "damaged"
    return "intact" if found == reference.digest else "changed"


def _canonical(check_method: str) -> str:
    return check_method.strip().lower().removeprefix("urn:oid:").replace("-", "")
