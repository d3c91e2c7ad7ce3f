"""Services of AWS that are not here say so, each in the protocol that its clients read.

Which service is meant stands in the signature; which protocol, in the form of the request. So no model has to be read, and
whatever Amazon adds is answered as well. Nothing is disclosed, so no signature is checked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import msgspec

from moorage.model.shown import shown
from moorage.wire.aws.protocols import json, query, query_json
from moorage.wire.http import Request, Response, Send

_SIGNED_FOR = re.compile(
    rb"(?:AWS4-[A-Z0-9-]+ .*?Credential=|X-Amz-Credential=)"  # in the header, or in the query of a presigned request
    rb"[^,&/%]{1,128}(?:/|%2F)[0-9]{8}(?:(?:/|%2F)[a-z0-9-]{0,32})?(?:/|%2F)(?P<service>[a-z0-9-]{1,64})(?:/|%2F)aws4_request"
)
_LONGEST_CREDENTIAL = 1024
"""Bytes of a header or a query in which the service is looked for."""
_REST_XML = frozenset(("s3", "s3express", "s3-outposts", "s3-object-lambda", "cloudfront", "route53"))
_S3_OUTPOSTS_JSON = b"/S3Outposts/"
"""Where the service of the outposts themselves is, which signs as their objects do and speaks JSON."""
_OF_AN_SDK = b"amz-sdk-invocation-id"
_CODE, _QUERY_CODE, _REST_XML_CODE = "UnknownOperationException", "InvalidAction", "NotImplemented"
_TEXT_MAP_2, _TEXT_16 = b"\xa2", b"\x79"
"""CBOR (RFC 8949): a map of two entries, and the head of a text whose length takes two bytes."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


class AbsentServices:
    """Knows which services are here, by the names that signatures have for them."""

    def __init__(self, signing_names: Iterable[str], target_prefixes: Iterable[str]) -> None:
        self._present = frozenset(signing_names)
        self._targets = frozenset(prefix.encode() for prefix in target_prefixes)
        self._listed = ", ".join(sorted(self._present))

    def meant_by(self, request: Request) -> str | None:
        """The service that is not here and that a request is signed for; None: a service of ours, or none at all."""
        headers, raw_query = request.headers, request.scope["query_string"][:_LONGEST_CREDENTIAL]
        authorization = headers.get(b"authorization", b"")[:_LONGEST_CREDENTIAL]
        found = _SIGNED_FOR.search(authorization)
        if found is None and b"X-Amz-Credential=" in raw_query:
            found = _SIGNED_FOR.search(raw_query)
        if found is None:
            is_s3 = authorization.startswith(b"AWS ") or (b"AWSAccessKeyId=" in raw_query and b"Signature=" in raw_query)
            return "s3" if is_s3 else None  # version 2 of signatures, which S3 alone still has
        service = found["service"].decode("ascii")
        target = headers.get(b"x-amz-target", b"").partition(b".")[0]
        return None if service in self._present or target in self._targets else service

    def is_asked(self, request: Request) -> bool:
        """Tell whether an SDK of AWS made a request: some operations are not signed, and name no service by it."""
        return _OF_AN_SDK in request.headers or request.headers.get(b"authorization", b"").startswith(b"AWS4-")

    async def respond(self, request: Request, send: Send, service: str) -> None:
        """Say that a service is not here; the empty name: one that nothing but the path tells of."""
        named = f"The service {service}" if service else f"A service with the path {shown(request.scope['raw_path'])}"
        message = (
            f"{named} is not available in this version of Moorage, which serves {self._listed}. "
            f"Send requests for {service or 'it'} to another endpoint (AWS_ENDPOINT_URL_<SERVICE>)."
        )
        answer = _answer(request, service, message, str(UUID(bytes=os.urandom(16), version=4)))
        await Response(answer.status, answer.body, answer.headers).send(send, head=request.method == "HEAD")


def _answer(request: Request, service: str, message: str, request_id: str) -> _Refusal:
    kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    own_id = (b"x-amzn-requestid", request_id.encode())
    if request.headers.get(b"smithy-protocol") == b"rpc-v2-cbor":
        typed = (b"content-type", b"application/cbor"), (b"smithy-protocol", b"rpc-v2-cbor")
        return _Refusal(400, _cbor({"__type": _CODE, "message": message}), (*typed, own_id))
    if b"x-amz-target" in request.headers or kind.startswith(b"application/x-amz-json"):
        content_type = kind if kind.startswith(b"application/x-amz-json") else b"application/x-amz-json-1.1"
        return _Refusal(400, json.render_error(_CODE, message, {}), ((b"content-type", content_type), own_id))
    if service in _REST_XML and not request.scope["raw_path"].startswith(_S3_OUTPOSTS_JSON):
        return _Refusal(501, _rest_xml(service, message, request_id), ((b"content-type", b"application/xml"), own_id))
    is_query = kind == b"application/x-www-form-urlencoded" or b"Action=" in request.scope["query_string"]
    if request.scope["raw_path"] == b"/" and is_query:
        if query_json.is_wanted(request.headers.get(b"accept", b"")):
            body = query_json.render_error(_QUERY_CODE, message, True, request_id)
            return _Refusal(400, body, ((b"content-type", query_json.CONTENT_TYPE), own_id))
        body = _ec2(message, request_id) if service == "ec2" else query.render_error(_QUERY_CODE, message, True, "", request_id)
        return _Refusal(400, body, ((b"content-type", b"text/xml"), own_id))
    body = msgspec.json.encode({"message": message})
    headers = (b"content-type", b"application/json"), (b"x-amzn-errortype", _CODE.encode()), own_id
    return _Refusal(501, body, headers)


def _rest_xml(service: str, message: str, request_id: str) -> bytes:
    """S3 has the error alone, the others of its protocol have it in an envelope."""
    text = query.escape(message)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if service.startswith("s3"):
        error = f"<Error><Code>{_REST_XML_CODE}</Code><Message>{text}</Message><RequestId>{request_id}</RequestId></Error>"
        return f"{head}{error}".encode()
    error = f"<Error><Type>Sender</Type><Code>{_REST_XML_CODE}</Code><Message>{text}</Message></Error>"
    return f"{head}<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>".encode()


def _ec2(message: str, request_id: str) -> bytes:
    error = f"<Error><Code>{_QUERY_CODE}</Code><Message>{query.escape(message)}</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>{request_id}</RequestID></Response>".encode()


def _cbor(pairs: dict[str, str]) -> bytes:
    """A map of two texts, which is all the CBOR that an error needs."""
    assert len(pairs) == 2
    texts = [text.encode() for pair in pairs.items() for text in pair]
    return _TEXT_MAP_2 + b"".join(_TEXT_16 + len(text).to_bytes(2, "big") + text for text in texts)
