"""``/hsm/v1/svs``: the signature server operations of GM/T 0029 under their published parameter names.

A request is a form or a JSON object, the answer has the same shape; octets are base64. ``respValue`` 0 is success,
other values are those of :class:`hsm.core.svs.SvsCode`. Missing rights, used up quotas and machines that are down are
problem documents.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from hsm.core.rights import Operation
from hsm.core.svs import SvsCode, SvsError
from hsm.gateway.svs import MessageOptions, SignatureServer
from hsm.web.gateway_bodies import decode, encode
from hsm.web.gateway_callers import Callers
from trustcore.errors import MalformedError

__all__ = ["build_svs_router"]

_FORM = "application/x-www-form-urlencoded"
_FIELDS = 40
_LEVEL = 1
"""What a verification looks at where the caller does not say: time and root."""

Answer = Mapping[str, str | int]


class Fields:
    """The parameters of one request."""

    def __init__(self, values: Mapping[str, str], *, limit: int, is_form: bool) -> None:
        self._values = values
        self._limit = limit
        self.is_form = is_form

    def text(self, name: str) -> str:
        """A parameter that has to be there."""
        if name not in self._values:
            raise SvsError(SvsCode.PARAMETER)
        return self._values[name]

    def number(self, name: str, default: int | None = None) -> int:
        """A number, decimal or with ``0x``."""
        if default is not None and name not in self._values:
            return default
        try:
            return int(self.text(name), 0)
        except ValueError as error:
            raise SvsError(SvsCode.PARAMETER) from error

    def octets(self, name: str, *, length: str | None = None) -> bytes:
        """Base64; ``length`` names the parameter that says how many bytes it is."""
        try:
            octets = decode(self.text(name), limit=self._limit)
        except MalformedError as error:
            raise SvsError(SvsCode.DATA_FORMAT) from error
        if length is not None and length in self._values and self.number(length) != len(octets):
            raise SvsError(SvsCode.PARAMETER)
        return octets

    def optional(self, name: str) -> bytes | None:
        """Base64, where it is there and not empty."""
        return self.octets(name) if self._values.get(name) else None

    def flag(self, name: str) -> bool:
        """``TRUE`` or ``FALSE``; false where it is missing."""
        value = self._values.get(name, "FALSE").upper()
        if value not in {"TRUE", "FALSE"}:
            raise SvsError(SvsCode.PARAMETER)
        return value == "TRUE"


def build_svs_router(server: SignatureServer, callers: Callers, *, limit: int) -> APIRouter:
    """The routes of the operations."""
    router = APIRouter(tags=["signature server"])

    async def read(request: Request) -> Fields:
        body = await request.body()
        is_form = request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == _FORM
        return Fields(_values(body, is_form=is_form), limit=limit, is_form=is_form)

    def add(name: str, right: Operation, act: Callable[[SignatureServer, str, Fields], Answer]) -> None:
        @router.post(f"/v1/svs/{name}", summary=name, name=name, operation_id=f"svs_{name}")
        def operation(request: Request, fields: Annotated[Fields, Depends(read)]) -> Response:
            application = callers.admit(request, right).subject
            try:
                answer: Answer = {"respValue": int(SvsCode.SUCCESS), **act(server, application, fields)}
            except SvsError as error:
                answer = {"respValue": int(error.code)}
            except MalformedError:
                answer = {"respValue": int(SvsCode.DATA_FORMAT)}
            if fields.is_form:
                return Response(urlencode(answer), media_type=_FORM)
            return JSONResponse(dict(answer))

    for name, right, act in _OPERATIONS:
        add(name, right, act)
    return router


def _values(body: bytes, *, is_form: bool) -> dict[str, str]:
    """Names and values, once each. Raises ``MalformedError`` (``hsm.svs.request``)."""
    error = MalformedError("The request is neither a form nor a flat JSON object.", code="hsm.svs.request")
    try:
        if is_form:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=_FIELDS)
            if len(dict(pairs)) != len(pairs):
                raise error
            return dict(pairs)
        read = json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise error from cause
    if not isinstance(read, dict) or len(read) > _FIELDS:
        raise error
    values: dict[str, str] = {}
    for name, value in read.items():
        if isinstance(value, bool):
            values[name] = "TRUE" if value else "FALSE"
        elif isinstance(value, (str, int)):
            values[name] = str(value)
        else:
            raise error
    return values


def _options(fields: Fields) -> MessageOptions:
    if fields.flag("hashFlag"):  # published clients disagree on what is sent then, so it is refused
        raise SvsError(SvsCode.PARAMETER)
    return MessageOptions(
        original_text=fields.flag("originalText"),
        certificate_chain=fields.flag("certificateChain"),
        crl=fields.flag("crl"),
        authentication_attributes=fields.flag("authenticationAttributes"),
    )


def _signer_certificate(server: SignatureServer, fields: Fields) -> bytes:
    """``type`` 1: the certificate itself; 2: the serial number of one that the server knows."""
    if fields.number("type", 1) == 1:
        return fields.octets("cert")
    return server.export_certificate(fields.text("certSN"))


def _export_cert(server: SignatureServer, _application: str, fields: Fields) -> Answer:
    return {"cert": encode(server.export_certificate(fields.text("identification")))}


def _parse_cert(server: SignatureServer, _application: str, fields: Fields) -> Answer:
    return {"info": server.parse_certificate(fields.octets("cert"), fields.number("infoType"))}


def _validate_cert(server: SignatureServer, _application: str, fields: Fields) -> Answer:
    return {"state": int(server.validate_certificate(fields.octets("cert")))}


def _sign_data(server: SignatureServer, application: str, fields: Fields) -> Answer:
    signature = server.sign_data(
        application,
        fields.number("signMethod"),
        fields.number("keyIndex"),
        fields.octets("inData", length="inDataLen"),
    )
    return {"signature": encode(signature)}


def _verify_signed_data(server: SignatureServer, application: str, fields: Fields) -> Answer:
    certificate = _signer_certificate(server, fields)
    data, signature = fields.octets("inData", length="inDataLen"), fields.octets("signature")
    server.verify_data(application, certificate, data, signature, level=fields.number("verifyLevel", _LEVEL))
    return {}


def _init(server: SignatureServer, _application: str, fields: Fields) -> Answer:
    state = server.begin(
        fields.number("signMethod"),
        fields.octets("inData", length="inDataLen"),
        public_key=fields.optional("signerPublicKey"),
        identifier=fields.optional("signerID"),
    )
    return {"hashValue": encode(state)}


def _update(server: SignatureServer, _application: str, fields: Fields) -> Answer:
    state = fields.octets("hashValue", length="hashValueLen")
    return {"hashValue": encode(server.go_on(fields.number("signMethod"), state, fields.octets("inData")))}


def _sign_data_final(server: SignatureServer, application: str, fields: Fields) -> Answer:
    method, index = fields.number("signMethod"), fields.number("keyIndex")
    return {"signature": encode(server.sign_digest(application, method, index, fields.octets("hashValue")))}


def _verify_signed_data_final(server: SignatureServer, application: str, fields: Fields) -> Answer:
    certificate = _signer_certificate(server, fields)
    state, signature = fields.octets("hashValue"), fields.octets("signature")
    server.verify_digest(application, certificate, state, signature, level=fields.number("verifyLevel", _LEVEL))
    return {}


def _sign_message(server: SignatureServer, application: str, fields: Fields) -> Answer:
    method, index = fields.number("signMethod"), fields.number("keyIndex")
    data = fields.octets("inData", length="inDataLen")
    return {"signedMessage": encode(server.sign_message(application, method, index, data, _options(fields)))}


def _verify_signed_message(server: SignatureServer, application: str, fields: Fields) -> Answer:
    _options(fields)
    message, data = fields.octets("signedMessage"), fields.optional("inData")
    server.verify_message(application, message, data, level=fields.number("verifyLevel", _LEVEL))
    return {}


def _sign_message_final(server: SignatureServer, application: str, fields: Fields) -> Answer:
    method, index, state = fields.number("signMethod"), fields.number("keyIndex"), fields.octets("hashValue")
    return {"signedMessage": encode(server.sign_message_digest(application, method, index, state))}


def _verify_signed_message_final(server: SignatureServer, application: str, fields: Fields) -> Answer:
    message, state = fields.octets("signedMessage"), fields.octets("hashValue")
    server.verify_message_digest(application, message, state, level=fields.number("verifyLevel", _LEVEL))
    return {}


_OPERATIONS: Sequence[tuple[str, Operation, Callable[[SignatureServer, str, Fields], Answer]]] = (
    ("ExportCert", Operation.VERIFY, _export_cert),
    ("ParseCert", Operation.VERIFY, _parse_cert),
    ("ValidateCert", Operation.VERIFY, _validate_cert),
    ("SignData", Operation.SIGN, _sign_data),
    ("VerifySignedData", Operation.VERIFY, _verify_signed_data),
    ("SignDataInit", Operation.SIGN, _init),
    ("SignDataUpdate", Operation.SIGN, _update),
    ("SignDataFinal", Operation.SIGN, _sign_data_final),
    ("VerifySignedDataInit", Operation.VERIFY, _init),
    ("VerifySignedDataUpdate", Operation.VERIFY, _update),
    ("VerifySignedDataFinal", Operation.VERIFY, _verify_signed_data_final),
    ("SignMessage", Operation.SIGN, _sign_message),
    ("VerifySignedMessage", Operation.VERIFY, _verify_signed_message),
    ("SignMessageInit", Operation.SIGN, _init),
    ("SignMessageUpdate", Operation.SIGN, _update),
    ("SignMessageFinal", Operation.SIGN, _sign_message_final),
    ("VerifySignedMessageInit", Operation.VERIFY, _init),
    ("VerifySignedMessageUpdate", Operation.VERIFY, _update),
    ("VerifySignedMessageFinal", Operation.VERIFY, _verify_signed_message_final),
)
"""Name, right and act of each operation."""
