"""Sealing many documents: prepared in groups, signed in one call to the machine for each group, written one by one.

The machine sees digests only, many at once, which is what makes it fast; a document that cannot be sealed does not
hinder the others; each is written whole or not at all, so a batch that was interrupted goes on where it stopped.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ofd.package.reader import Package
from ofd.sign.seal import PreparedSeal
from trustcore.errors import ConflictError, TrustError
from trustcore.signing import Signer

__all__ = ["TOGETHER", "Outcome", "Task", "seal_many"]

TOGETHER = 32
"""How many documents are open at once, and signed in one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A document to seal."""

    source: Path
    target: Path
    """Where the sealed document goes; one that is there already is left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a document."""

    task: Task
    error: TrustError | OSError | None = None
    """Why it was not sealed; ``ofd.batch.exists`` (a conflict) when it was there already."""


def seal_many(
    tasks: Iterable[Task],
    *,
    prepare: Callable[[Package, Path], PreparedSeal],
    signer: Signer,
    certificate_der: bytes,
    stamp: Callable[[bytes], bytes] | None = None,
    together: int = TOGETHER,
) -> Iterator[Outcome]:
    """Seal documents, in the order given.

    Args:
        tasks: what to seal.
        prepare: prepares one document; is given the open package and its file.
        signer: the key; signs digests (:meth:`trustcore.signing.Signer.sign_many`).
        certificate_der: the signer's.
        stamp: makes a time-stamp token over the octets of a signature.
        together: how many documents are signed in one call.

    Yields:
        One outcome for each task, as soon as the document is written.

    Raises:
        TrustError: the machine fails. Documents that were told of are written, the others are not.
    """
    waiting = iter(tasks)
    while group := list(islice(waiting, together)):
        with ExitStack() as stack:
            ready: list[tuple[Task, PreparedSeal]] = []
            refused: dict[int, Outcome] = {}
            for place, task in enumerate(group):
                try:
                    ready.append((task, _prepared(task, prepare, stack)))
                except (TrustError, OSError) as error:
                    refused[place] = Outcome(task=task, error=error)
            digests = [prepared.digest_to_sign(certificate_der) for _, prepared in ready]
            signed = zip(ready, signer.sign_many(digests) if digests else (), strict=True)
            for place in range(len(group)):
                if place in refused:
                    yield refused[place]
                else:
                    (task, prepared), signature = next(signed)
                    yield _completed(task, prepared, signature, certificate_der, stamp)


def _prepared(task: Task, prepare: Callable[[Package, Path], PreparedSeal], stack: ExitStack) -> PreparedSeal:
    if task.target.exists():
        raise ConflictError(f"{task.target.name} is there already.", code="ofd.batch.exists")
    package = Package.open(task.source)
    try:
        prepared = prepare(package, task.source)
    except BaseException:
        package.close()
        raise
    stack.enter_context(package)
    return prepared


def _completed(
    task: Task,
    prepared: PreparedSeal,
    signature: bytes,
    certificate_der: bytes,
    stamp: Callable[[bytes], bytes] | None,
) -> Outcome:
    try:
        token = None if stamp is None else stamp(signature)
        prepared.complete_to(task.target, signature, certificate_der, token)
    except (TrustError, OSError) as error:
        return Outcome(task=task, error=error)
    return Outcome(task=task)
