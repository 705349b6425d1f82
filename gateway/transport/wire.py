"""What a call becomes on the wire, and what comes back: headers, credentials, multipart bodies.

Rule: header names that come in are in lower case, several of one name are joined; `x-stored` is only ever ours.
Rule: what could break out of a header is refused before anything is sent.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import BinaryIO

import aiohttp
from multidict import CIMultiDict

from adapters.base import Auth, CredentialsRefused, HttpCall, Refused, Upload

OURS = "x-stored"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
MIME = re.compile(r"[\w!#$&^.+-]{1,80}/[\w!#$&^.+-]{1,80}(; ?[\w-]{1,40}=[\w.-]{1,40})?", re.ASCII)
OCTETS = "application/octet-stream"


def outgoing_headers(call: HttpCall, credentials: Mapping[str, str]) -> CIMultiDict[str]:
    """The call's headers with its credential in place. Raises CredentialsRefused, Refused."""
    headers = CIMultiDict(call.headers)
    if call.upload is not None:
        headers.popall("Content-Type", None)  # it names the boundary, which is made with the body
    for name, value in headers.items():
        if HEADER_NAME.fullmatch(name) is None or UNSENDABLE.search(value):
            raise Refused("a header that can not be sent")
    if call.auth is not None:
        headers[call.auth.header] = _credential(call.auth, credentials)
    return headers


def _credential(auth: Auth, credentials: Mapping[str, str]) -> str:
    secret = credentials.get(auth.credential)
    if not secret:
        raise CredentialsRefused(f"no credential named {auth.credential}")
    if UNSENDABLE.search(secret):
        raise CredentialsRefused(f"the credential {auth.credential} holds a control character")
    match auth.scheme:
        case "bearer":
            return f"Bearer {secret}"
        case "basic":
            return "Basic " + b64encode(f"{auth.user}:{secret}".encode()).decode("ascii")
        case "header":
            return secret


def form(upload: Upload, file: BinaryIO) -> aiohttp.FormData:
    """Streams `file` when it is sent; its length is known before."""
    data = aiohttp.FormData()
    for name, value in upload.fields.items():
        data.add_field(name, value)
    mime = upload.mime if MIME.fullmatch(upload.mime) else OCTETS
    data.add_field(upload.field, file, filename=UNSENDABLE.sub("_", upload.filename), content_type=mime)
    return data


def incoming_headers(headers: Mapping[str, str]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        if not key.startswith(OURS):
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined
