"""Use cases of e-licences. Each opens and ends its own transactions; sealing happens outside of them."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from licence_service import store
from licence_service.batch import BatchResult, Progress, default_forms, issue_rows, row_request_id
from licence_service.core.licence import Form, Licence, Verification
from licence_service.core.record import LicenceRecord
from licence_service.core.register import register_steps
from licence_service.core.request import DEFAULT_FORMS, IssueRequest
from licence_service.core.rows import Row, read_rows
from licence_service.core.states import LicenceState, require_transition
from licence_service.issuing import Issuing
from licence_service.ports import Documents, Seals
from licence_service.settings import LicenceSettings
from licence_service.views import stored_view
from ofd.fonts.faces import FontStack
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ConflictError, NotFoundError, RejectedError, TrustError
from trustcore.protection import FieldCipher
from trustcore.report import ReportBuilder

__all__ = ["LicenceService"]

_log = structlog.get_logger(__name__)


class LicenceService:
    """Issues, shows and verifies licences. Safe to share between threads.

    Args:
        database: where the register is.
        seals: who seals and verifies files.
        documents: where sealed files are kept.
        cipher: for ID numbers at rest.
        fonts: what licences are set in.
        clock: aware time.
        random: as many random octets as asked for.
        settings: ``[licence]``.
    """

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
        self._issuing = Issuing(
            database=database, seals=seals, documents=documents, cipher=cipher, fonts=fonts, clock=clock,
            random=random, settings=settings,
        )  # fmt: skip
        self.clock = clock
        self.settings = settings

    def issue(
        self,
        record: LicenceRecord,
        *,
        request_id: str,
        forms: Sequence[Form] = DEFAULT_FORMS,
        actor: str = "system",
    ) -> Licence:
        """Issue one licence: reserve its number, seal its files, record it.

        The same request (``request_id``) answers with the same licence however often it comes and wherever an earlier
        attempt was cut off; only what is missing is made.

        Raises:
            RejectedError: ``licence.issuer.other``, ``licence.layout.too-long``, ``ofd.font.missing-glyph``.
            ConflictError: ``licence.request.other-body`` when ``request_id`` was used for something else;
                ``licence.state.closed`` when files are missing of a licence that no longer stands.
            BusyError: a machine or the disk cannot serve; repeat the request.
            InternalError: ``licence.document.invalid`` when the verifier refuses a file just sealed.
        """
        return self._issuing.issue(
            IssueRequest(record=record, request_id=request_id, forms=tuple(dict.fromkeys(forms)), actor=actor)
        )

    def issue_many(self, requests: Sequence[IssueRequest]) -> tuple[Licence | TrustError, ...]:
        """Issue licences together, as :meth:`issue` does one; their transactions are shared.

        Every request is answered in its place with its licence or with the error that :meth:`issue` raises. After a
        failure that is not of one licence (``BusyError``, ``InternalError``) the rest is answered with the same.
        """
        return self._issuing.issue_many(requests)

    def issue_batch(
        self,
        data: bytes,
        *,
        name: str,
        actor: str = "system",
        progress: Progress = lambda _done, _total: None,
        forms: Callable[[Row], tuple[Form, ...]] = default_forms,
    ) -> BatchResult:
        """Issue every good row of a CSV file; rows that were issued before, by this file or another, are left alone.

        Args:
            data: the file, see :mod:`licence_service.core.rows`.
            name: of the file, for the list of batches.
            actor: who asks.
            progress: is told how many rows are done, of how many.
            forms: which forms to make of a row.

        Raises:
            MalformedError: ``licence.csv.*``, nothing was issued.
            BusyError: a machine or the disk cannot serve; the rows before stay issued, the same call goes on.
        """
        file = read_rows(data)
        total = len(file.rows) + len(file.bad)
        with self._database.transaction() as session:
            batch = store.open_batch(
                session, name=name[:200], sha256=hashlib.sha256(data).hexdigest(), row_count=total, now=self.clock()
            )

        def issue(rows: Sequence[Row]) -> Sequence[Licence | TrustError]:
            return self.issue_many(
                [
                    IssueRequest(
                        record=row.record, request_id=row_request_id(row), forms=forms(row), may_add_forms=True,
                        actor=actor, batch_id=batch.id, row_number=row.number,
                    )
                    for row in rows
                ]
            )  # fmt: skip

        licences, refused = issue_rows(file.rows, issue, progress, total)
        bad = tuple(sorted((*file.bad, *refused), key=lambda row: row.number))
        with self._database.transaction() as session:
            store.close_batch(session, batch.id, issued_count=len(licences), bad=bad, now=self.clock())
        return BatchResult(batch_id=batch.id, total=total, licences=tuple(licences), bad=bad)

    def resume_pending(self, *, older_than: timedelta = timedelta(0), actor: str = "system") -> tuple[Licence, ...]:
        """Finish licences whose process died between reservation and record, oldest first, at most 100.

        One that a rule refuses is logged and left; when a machine or the disk cannot serve, ``BusyError`` is raised.
        """
        with self._database.transaction() as session:
            rows = store.pending(session, before=self.clock() - older_than)
        finished = []
        for row in rows:
            try:
                finished.append(self._issuing.resume(row, actor))
            except (RejectedError, ConflictError) as error:
                _log.warning("licence.resume-refused", identifier=row.identifier, code=error.code)
        return tuple(finished)

    def licence(self, identifier: str) -> Licence:
        """The licence with this identifier. Raises ``NotFoundError`` (``licence.not-found``)."""
        with self._database.transaction() as session:
            return stored_view(session, store.by_identifier(session, identifier), self._cipher)

    def licence_by_token(self, token: str) -> Licence:
        """The licence whose QR code says ``token``, letters in either case. Raises ``NotFoundError``."""
        with self._database.transaction() as session:
            return stored_view(session, store.by_token(session, token.upper()), self._cipher)

    def recent(self, *, before: int | None = None, limit: int = 50) -> tuple[Licence, ...]:
        """The newest licences, newest first; ``before`` is the ``number`` of the last one of the page before."""
        with self._database.transaction() as session:
            rows = store.recent(session, before=before, limit=min(limit, 500))
            return tuple(stored_view(session, row, self._cipher) for row in rows)

    def document(self, identifier: str, form: Form) -> bytes:
        """The sealed file of a licence. Raises ``NotFoundError`` (``licence.not-found``, ``licence.form.not-made``)."""
        info = self.licence(identifier).document(form)
        if info is None:
            raise NotFoundError(f"The licence was not made as {form}.", code="licence.form.not-made", form=str(form))
        return self._documents.get(info.sha256)

    def change_state(self, identifier: str, target: LicenceState, *, reason: str, actor: str) -> Licence:
        """Suspend, resume, cancel, withdraw, revoke or void a licence, from now on.

        Repeating the last change answers with the licence as it is.

        Raises:
            NotFoundError: ``licence.not-found``.
            ConflictError: ``licence.state.transition``.
        """
        now = self.clock()
        with self._database.transaction() as session:
            row = store.by_identifier(session, identifier, lock=True)
            if row is not None and row.state != target:
                state = LicenceState(row.state)
                if state is LicenceState.PENDING_SEAL and target is not LicenceState.VOID:
                    raise ConflictError(
                        "The licence is not issued yet; issue it or void it.", code="licence.state.transition",
                        state=str(state), target=str(target),
                    )  # fmt: skip
                require_transition(state, target)
                row.state, row.state_reason, row.state_changed_at = str(target), reason.strip()[:300], now
                audit.record(
                    session, at=now, actor=actor, action=f"licence.{target}", subject=identifier,
                    facts={"from": str(state)},
                )  # fmt: skip
            return stored_view(session, row, self._cipher)

    def verify(self, data: bytes) -> Verification:
        """Verify a file: what the general verifier says, whether it is ours, whether the licence stands now."""
        builder = ReportBuilder("licence")
        file_report = self._seals.verify(data)
        builder.extend(file_report.steps)
        builder.facts.update(file_report.facts)
        with self._database.transaction() as session:
            row = store.by_document(session, hashlib.sha256(data).hexdigest())
            licence = stored_view(session, row, self._cipher) if row is not None else None
        state = licence.shown_state(self.clock()) if licence else None
        register_steps(builder, licence, state)
        return Verification(report=builder.build(), licence=licence, state=state)

    def verify_issued(self, licence: Licence) -> Verification | None:
        """Verify the licence's own OFD (else its first file) again now; ``None`` when no file was made yet."""
        info = licence.document(Form.OFD) or next(iter(licence.documents), None)
        return self.verify(self._documents.get(info.sha256)) if info else None
