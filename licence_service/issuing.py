"""Reserve → sign → record: how one licence comes to be, whatever is cut off where."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from licence_service import store
from licence_service.core.identifiers import LicenceIdentifier, build_identifier
from licence_service.core.licence import Form, Licence, make_token
from licence_service.core.record import LicenceRecord
from licence_service.core.request import IssueRequest
from licence_service.core.states import LicenceState
from licence_service.models import DocumentRow, LicenceRow
from licence_service.ports import Documents, Seals, Unsealed
from licence_service.render_ofd import render_ofd
from licence_service.render_pdf import render_pdf
from licence_service.rendering import LicenceDocument
from licence_service.settings import LicenceSettings
from licence_service.views import record_of, view
from ofd.fonts.faces import FontStack
from trustcore import audit
from trustcore.audit import Act
from trustcore.crypto.digests import sm3
from trustcore.database import Database
from trustcore.errors import ConflictError, InternalError, MalformedError, RejectedError, TrustError
from trustcore.protection import FieldCipher
from trustcore.report import Verdict

__all__ = ["OF_ONE_LICENCE", "Issuing"]

_SERIAL_DIGITS = 10
_VERSION = "001"
_TOKEN_BYTES = 16
OF_ONE_LICENCE = (RejectedError, ConflictError, MalformedError)
"""Errors that say something about one licence; others say that nothing can be issued now."""
_SEALED_AS = {Form.OFD: "ofd", Form.PDF: "pades", Form.SM2_PDF: "gm"}
_COMPLETABLE = (LicenceState.PENDING_SEAL, LicenceState.VALID)


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """One licence while it is issued."""

    row: LicenceRow
    record: LicenceRecord
    actor: str
    missing: list[Form] = field(default_factory=list)
    made: list[DocumentRow] = field(default_factory=list)
    error: TrustError | None = None


class Issuing:
    """The act of issuing. Safe to share between threads; see :class:`licence_service.service.LicenceService`."""

    def __init__(
        self,
        *,
        database: Database,
        seals: Seals,
        documents: Documents,
        cipher: FieldCipher,
        fonts: FontStack,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        settings: LicenceSettings,
    ) -> None:
        self._database = database
        self._seals = seals
        self._documents = documents
        self._cipher = cipher
        self._fonts = fonts
        self._clock = clock
        self._random = random
        self._settings = settings

    def issue(self, request: IssueRequest) -> Licence:
        """Reserve the number, seal the files, record the licence; see ``LicenceService.issue``."""
        return _only(self.issue_many([request]))

    def issue_many(self, requests: Sequence[IssueRequest]) -> tuple[Licence | TrustError, ...]:
        """Issue licences together; every request is answered in its place, with its licence or with what refused it.

        One transaction reserves all numbers, one records all licences, and sealing is between the two. When a machine
        or the disk cannot serve, what was sealed before is recorded, and the rest is answered with that error.
        """
        answers = self._reserve(requests)
        jobs = list({id(answer): answer for answer in answers if isinstance(answer, _Job)}.values())
        licences = dict(zip(map(id, jobs), self._complete(jobs), strict=True))
        return tuple(licences[id(answer)] if isinstance(answer, _Job) else answer for answer in answers)

    def resume(self, row: LicenceRow, actor: str) -> Licence:
        """Finish a licence whose number was reserved."""
        job = _Job(row=row, record=record_of(row, self._cipher), actor=actor)
        self._look_up([job])
        return _only(self._complete([job]))

    def _reserve(self, requests: Sequence[IssueRequest]) -> list[_Job | TrustError]:
        """Transaction 1: numbers, tokens, what will be made, and the audit rows; a request made before has its own."""
        lookups = [self._cipher.lookup(request.canonical()) for request in requests]
        found: dict[int, LicenceRow | TrustError] = {}
        with self._database.transaction() as session:
            known = store.by_requests(session, [request.request_id for request in requests])
            for index, request in enumerate(requests):
                if refusal := self._other_issuer(request):
                    found[index] = refusal
                elif earlier := known.get(request.request_id):
                    found[index] = self._repeated(earlier, request, lookups[index])
        for index, request in enumerate(requests):
            if index not in found and (problem := self._unprintable(request)):
                found[index] = problem
        fresh = [index for index in range(len(requests)) if index not in found]
        if fresh:
            found.update(self._number({index: (requests[index], lookups[index]) for index in fresh}))
        jobs: dict[int, _Job] = {}
        for index, row in found.items():
            if isinstance(row, LicenceRow):
                jobs.setdefault(row.id, _Job(row=row, record=requests[index].record, actor=requests[index].actor))
        self._look_up(list(jobs.values()))
        answers = [found[index] for index in range(len(requests))]
        return [jobs[answer.id] if isinstance(answer, LicenceRow) else answer for answer in answers]

    def _number(self, requests: Mapping[int, tuple[IssueRequest, str]]) -> dict[int, LicenceRow | TrustError]:
        """Give new requests their numbers, under the lock of their counters."""
        found: dict[int, LicenceRow | TrustError] = {}
        with self._database.transaction() as session:
            codes = sorted({request.record.licence_type.code for request, _ in requests.values()})
            issuer = self._settings.issuer_code
            counters = {code: store.counter(session, type_code=code, issuer_code=issuer) for code in codes}
            # Asked again under the counters' lock: another process may have taken the same request meanwhile.
            known = store.by_requests(session, [request.request_id for request, _ in requests.values()])
            rows: list[tuple[LicenceRow, str]] = []
            for index, (request, lookup) in requests.items():
                if earlier := known.get(request.request_id):
                    found[index] = self._repeated(earlier, request, lookup)
                    continue
                counter = counters[request.record.licence_type.code]
                counter.last += 1
                row = self._new_row(request, lookup, counter.last)
                found[index] = known[request.request_id] = row
                rows.append((row, request.actor))
            session.add_all(row for row, _ in rows)
            session.flush()
            acts = [
                Act(
                    at=row.reserved_at, actor=actor, action="licence.number.reserved", subject=row.identifier,
                    facts={"forms": ",".join(row.forms)},
                )
                for row, actor in rows
            ]  # fmt: skip
            audit.record_many(session, acts)
        return found

    def _other_issuer(self, request: IssueRequest) -> RejectedError | None:
        if request.record.registration_authority == self._settings.issuer_name:
            return None
        return RejectedError(
            f"The registration authority is not {self._settings.issuer_name}, whose seal would be put on it.",
            code="licence.issuer.other",
            field="登记机关",
        )

    def _unprintable(self, request: IssueRequest) -> TrustError | None:
        """What keeps a text from being printed; asked before it costs a number."""
        identifier = _identifier(request.record.licence_type.code, self._settings.issuer_code, 0)
        document = LicenceDocument(
            record=request.record, identifier=identifier, issuer=self._settings.issuer_name, address="",
            created_at=self._clock(), fonts=self._fonts,
        )  # fmt: skip
        try:
            document.page  # noqa: B018 - composes it
        except TrustError as error:
            return error
        return None

    @staticmethod
    def _repeated(row: LicenceRow, request: IssueRequest, lookup: str) -> LicenceRow | ConflictError:
        forms = [str(form) for form in request.forms if form not in row.forms]
        if row.request_lookup != lookup or (forms and not request.may_add_forms):
            return ConflictError("This request was made before with other contents.", code="licence.request.other-body")
        if forms and LicenceState(row.state) in _COMPLETABLE:
            row.forms = [*row.forms, *forms]
        return row

    def _new_row(self, request: IssueRequest, lookup: str, serial: int) -> LicenceRow:
        record, now = request.record, self._clock()
        identifier = str(_identifier(record.licence_type.code, self._settings.issuer_code, serial))
        token = make_token(self._random(_TOKEN_BYTES))
        return LicenceRow(
            identifier=identifier,
            token=token,
            request_id=request.request_id,
            request_lookup=lookup,
            type_code=record.licence_type.code,
            issuer_code=self._settings.issuer_code,
            issuer_name=self._settings.issuer_name,
            serial=serial,
            address=f"{self._settings.public_url}/v/{token}",
            holder_name=record.name,
            holder_code=record.credit_code,
            record=record.as_json(),
            representative_id=self._cipher.encrypt(record.representative_id),
            representative_lookup=self._cipher.lookup(record.representative_id),
            forms=[str(form) for form in request.forms],
            state=str(LicenceState.PENDING_SEAL),
            state_changed_at=now,
            reserved_at=now,
            batch_id=request.batch_id,
            row_number=request.row_number,
        )

    def _document_of(self, row: LicenceRow, record: LicenceRecord) -> LicenceDocument:
        return LicenceDocument(
            record=record,
            identifier=_identifier(row.type_code, row.issuer_code, row.serial),
            issuer=row.issuer_name,
            address=row.address,
            created_at=row.reserved_at,
            fonts=self._fonts,
        )

    def _look_up(self, jobs: Sequence[_Job]) -> None:
        """See what is missing of licences that were reserved."""
        with self._database.transaction() as session:
            made = store.documents(session, [job.row.id for job in jobs])
        for job in jobs:
            job.missing = [Form(form) for form in job.row.forms if form not in made[job.row.id]]
            if job.missing and LicenceState(job.row.state) not in _COMPLETABLE:
                job.error = ConflictError(
                    f"The licence is {job.row.state}; no more files are made of it.", code="licence.state.closed",
                    state=job.row.state,
                )  # fmt: skip

    def _complete(self, jobs: Sequence[_Job]) -> tuple[Licence | TrustError, ...]:
        """Seal what is missing, then transaction 2."""
        rendered = [(job, form, document) for job in jobs for form, document in self._render(job)]
        sealed = self._seals.stamp(self._settings.seal_id, [document for _, _, document in rendered])
        stopped: TrustError | None = None
        for (job, form, _), answer in zip(rendered, sealed, strict=True):
            job.error = job.error or stopped
            if job.error is None:
                try:
                    job.made.append(self._keep(job.row, form, answer))
                except TrustError as error:
                    job.error = error
                    stopped = None if isinstance(error, OF_ONE_LICENCE) else error
        return self._record(jobs)

    def _render(self, job: _Job) -> Iterator[tuple[Form, Unsealed]]:
        """The missing files without seal."""
        if job.error is not None or not job.missing:
            return
        document = self._document_of(job.row, job.record)
        try:
            place = document.page.seal
            box_mm = (place.x_mm, place.y_mm, place.width_mm, place.height_mm)
            for form in job.missing:
                data = render_ofd(document) if form is Form.OFD else render_pdf(document)
                yield form, Unsealed(form=_SEALED_AS[form], data=data, box_mm=box_mm)
        except TrustError as error:
            job.error = error

    def _keep(self, row: LicenceRow, form: Form, sealed: bytes | TrustError) -> DocumentRow:
        """Verify a sealed file and put it into the store."""
        if isinstance(sealed, TrustError):
            raise sealed
        report = self._seals.verify(sealed) if self._settings.verify_on_issue else None
        if report is not None and report.verdict is Verdict.INVALID:
            raise InternalError(
                f"The verifier refuses a {form} just sealed: {report.problems[0].en}.", code="licence.document.invalid"
            )
        return DocumentRow(
            licence_id=row.id,
            form=str(form),
            sha256=self._documents.put(sealed),
            sm3=sm3(sealed).hex(),
            size_bytes=len(sealed),
            created_at=self._clock(),
            report=report.as_json() if report else None,
        )

    def _record(self, jobs: Sequence[_Job]) -> tuple[Licence | TrustError, ...]:
        """Transaction 2: the files that were made; licences of which all files are made are valid from now on."""
        if not jobs:
            return ()
        with self._database.transaction() as session:
            rows = store.by_ids(session, [job.row.id for job in jobs])
            kept = store.documents(session, rows)
            acts = [act for job in jobs for act in self._record_one(session, job, rows[job.row.id], kept[job.row.id])]
            audit.record_many(session, acts)
            return tuple(job.error or view(rows[job.row.id], kept[job.row.id].values(), self._cipher) for job in jobs)

    def _record_one(self, session: Session, job: _Job, row: LicenceRow, kept: dict[str, DocumentRow]) -> Iterator[Act]:
        # Another process may have recorded a file of the same form first, which then counts.
        for info in (info for info in job.made if info.form not in kept):
            session.add(info)
            kept[info.form] = info
            yield Act(
                at=info.created_at, actor=job.actor, action="licence.document.sealed", subject=row.identifier,
                facts={"form": info.form, "sha256": info.sha256},
            )  # fmt: skip
        if job.error is None and row.state == LicenceState.PENDING_SEAL:
            now = self._clock()
            row.state, row.state_changed_at, row.issued_at = str(LicenceState.VALID), now, now
            yield Act(
                at=now, actor=job.actor, action="licence.issued", subject=row.identifier,
                facts={"forms": ",".join(row.forms)},
            )  # fmt: skip


def _only(answers: Sequence[Licence | TrustError]) -> Licence:
    (answer,) = answers
    if isinstance(answer, TrustError):
        raise answer
    return answer


def _identifier(type_code: str, issuer_code: str, serial: int) -> LicenceIdentifier:
    return build_identifier(
        type_code=type_code, issuer_code=issuer_code, serial=f"{serial:0{_SERIAL_DIGITS}d}", version=_VERSION
    )
