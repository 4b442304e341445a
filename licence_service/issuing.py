"""Reserve → sign → record: how one licence comes to be, whatever is cut off where."""

from collections.abc import Callable
from datetime import datetime

from licence_service import store
from licence_service.core.identifiers import LicenceIdentifier, build_identifier
from licence_service.core.licence import Form, Licence, make_token
from licence_service.core.record import LicenceRecord
from licence_service.core.request import IssueRequest
from licence_service.core.states import LicenceState
from licence_service.models import DocumentRow, LicenceRow
from licence_service.ports import Documents, Seals
from licence_service.render_ofd import render_ofd
from licence_service.render_pdf import render_pdf
from licence_service.rendering import LicenceDocument
from licence_service.settings import LicenceSettings
from licence_service.views import record_of, view
from ofd.fonts import FontStack
from trustcore import audit
from trustcore.crypto.digests import sm3
from trustcore.database import Database
from trustcore.errors import ConflictError, InternalError, RejectedError
from trustcore.protection import FieldCipher
from trustcore.report import Verdict

__all__ = ["Issuing"]

_SERIAL_DIGITS = 10
_VERSION = "001"
_TOKEN_BYTES = 16
_COMPLETABLE = (LicenceState.PENDING_SEAL, LicenceState.VALID)


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
        if request.record.registration_authority != self._settings.issuer_name:
            raise RejectedError(
                f"The registration authority is not {self._settings.issuer_name}, whose seal would be put on it.",
                code="licence.issuer.other",
                field="登记机关",
            )
        return self._complete(self._reserve(request), request.record, request.actor)

    def resume(self, row: LicenceRow, actor: str) -> Licence:
        """Finish a licence whose number was reserved."""
        return self._complete(row, record_of(row, self._cipher), actor)

    def _reserve(self, request: IssueRequest) -> LicenceRow:
        """Transaction 1: the number, the token, what will be made, and the audit row."""
        lookup = self._cipher.lookup(request.canonical())
        with self._database.transaction() as session:
            if row := store.by_request(session, request.request_id):
                return self._repeated(row, request, lookup)
        # A text that cannot be printed is refused before it costs a number.
        self._document_of(self._new_row(request, lookup, 0), request.record).page  # noqa: B018 - composes it
        with self._database.transaction() as session:
            serial = store.next_serial(
                session, type_code=request.record.licence_type.code, issuer_code=self._settings.issuer_code
            )
            # Asked again under the counter's lock: another process may have taken the same request meanwhile.
            if row := store.by_request(session, request.request_id):
                return self._repeated(row, request, lookup)
            row = self._new_row(request, lookup, serial)
            session.add(row)
            session.flush()
            audit.record(
                session, at=row.reserved_at, actor=request.actor, action="licence.number.reserved",
                subject=row.identifier, facts={"forms": ",".join(row.forms)},
            )  # fmt: skip
        return row

    def _repeated(self, row: LicenceRow, request: IssueRequest, lookup: str) -> LicenceRow:
        forms = [str(form) for form in request.forms if form not in row.forms]
        if row.request_lookup != lookup or (forms and not request.may_add_forms):
            raise ConflictError("This request was made before with other contents.", code="licence.request.other-body")
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

    def _complete(self, row: LicenceRow, record: LicenceRecord, actor: str) -> Licence:
        """Seal what is missing, file by file, then transaction 2."""
        with self._database.transaction() as session:
            made = {document.form for document in store.documents(session, row.id)}
        missing = [Form(form) for form in row.forms if form not in made]
        if missing and LicenceState(row.state) not in _COMPLETABLE:
            raise ConflictError(
                f"The licence is {row.state}; no more files are made of it.", code="licence.state.closed",
                state=row.state,
            )  # fmt: skip
        document = self._document_of(row, record)
        for form in missing:
            self._make(row, document, form, actor)
        return self._record_issue(row, actor)

    def _make(self, row: LicenceRow, document: LicenceDocument, form: Form, actor: str) -> None:
        sealed = self._seal(document, form)
        report = self._seals.verify(sealed) if self._settings.verify_on_issue else None
        if report is not None and report.verdict is Verdict.INVALID:
            raise InternalError(
                f"The verifier refuses a {form} just sealed: {report.problems[0].en}.", code="licence.document.invalid"
            )
        now = self._clock()
        info = DocumentRow(
            licence_id=row.id,
            form=str(form),
            sha256=self._documents.put(sealed),
            sm3=sm3(sealed).hex(),
            size_bytes=len(sealed),
            created_at=now,
            report=report.as_json() if report else None,
        )
        with self._database.transaction() as session:
            if store.add_document(session, info):
                audit.record(
                    session, at=now, actor=actor, action="licence.document.sealed", subject=row.identifier,
                    facts={"form": str(form), "sha256": info.sha256},
                )  # fmt: skip

    def _seal(self, document: LicenceDocument, form: Form) -> bytes:
        place = document.page.seal
        box_mm = (place.x_mm, place.y_mm, place.width_mm, place.height_mm)
        if form is Form.OFD:
            return self._seals.stamp_ofd(self._settings.seal_id, render_ofd(document), box_mm=box_mm)
        pdf = render_pdf(document)
        return self._seals.stamp_pdf(
            self._settings.seal_id, pdf, form="pades" if form is Form.PDF else "gm", box_mm=box_mm
        )

    def _record_issue(self, row: LicenceRow, actor: str) -> Licence:
        """Transaction 2: the licence is valid from now on, and all its forms are made."""
        now = self._clock()
        with self._database.transaction() as session:
            stored = store.by_identifier(session, row.identifier, lock=True)
            if stored is not None and stored.state == LicenceState.PENDING_SEAL:
                stored.state, stored.state_changed_at, stored.issued_at = str(LicenceState.VALID), now, now
                audit.record(
                    session, at=now, actor=actor, action="licence.issued", subject=row.identifier,
                    facts={"forms": ",".join(stored.forms)},
                )  # fmt: skip
            return view(session, stored, self._cipher)


def _identifier(type_code: str, issuer_code: str, serial: int) -> LicenceIdentifier:
    return build_identifier(
        type_code=type_code, issuer_code=issuer_code, serial=f"{serial:0{_SERIAL_DIGITS}d}", version=_VERSION
    )
