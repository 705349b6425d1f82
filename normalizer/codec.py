"""The only encoder and decoder of an Envelope, and the one place where text is cleaned.

Rule: the wire form is JSON with `v`, the schema's version; older ones are upgraded on the way in, step by step.
Rule: what leaves here holds no NUL and no lone surrogate: PostgreSQL refuses both, and with them a whole batch.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from normalizer.envelope import Envelope

VERSION = 1
UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From a version to the next one."""

T = TypeVar("T")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)
_PREFIX = b'{"v":%d,' % VERSION


def encode(envelope: Envelope) -> bytes:
    """Without `raw`: what the provider sent is kept beside the envelope, byte for byte."""
    if envelope.raw is not None:
        envelope = _without_raw(envelope)
    return _PREFIX + _encoder.encode(envelope)[1:]


def seal(envelope: Envelope) -> tuple[Envelope, bytes]:
    """The envelope with its text cleaned, and its encoded form. The usual, clean one costs no more than `encode`."""
    try:
        data = encode(envelope)
    except UnicodeEncodeError:
        data = b"\\u0000"
    if b"\\u0000" not in data:
        return envelope, data
    plain = msgspec.to_builtins(_without_raw(envelope), enc_hook=_own_json)
    cleaned = _decoder.decode(_encoder.encode(clean(plain)))
    cleaned = msgspec.structs.replace(cleaned, raw=envelope.raw)
    return cleaned, encode(msgspec.structs.replace(cleaned, raw=None))


def decode(data: bytes) -> Envelope:
    """Raises `msgspec.ValidationError` for what is no envelope and `ValueError` for a version of the future."""
    try:
        return _decoder.decode(data) if data.startswith(_PREFIX) else _of_any_version(json.loads(data))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _of_any_version(fields: Any) -> Envelope:
    if not isinstance(fields, dict):
        raise ValueError("an envelope is a JSON object")
    version = fields.pop("v", VERSION)
    while version != VERSION:
        if not isinstance(version, int) or version not in UPGRADES:
            raise ValueError(f"envelope version {version!r}; this program knows up to {VERSION}")
        fields, version = UPGRADES[version](fields), version + 1
    # Through the decoder and not `msgspec.convert`: JSON inside of an envelope (`Raw`) stays JSON.
    return _decoder.decode(_encoder.encode(fields))


def json_schema() -> dict[str, Any]:
    """JSON Schema of the wire form, `v` included."""
    (schema,), definitions = msgspec.json.schema_components((Envelope,), ref_template="#/$defs/{name}")
    body = definitions["Envelope"]
    body["properties"] = {"v": {"const": VERSION}, **body["properties"]}
    body["required"] = ["v", *body["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": definitions}


def clean_text(text: str) -> str:
    """Without NUL; a surrogate pair that was taken apart is joined, a lone one becomes U+FFFD."""
    if text.isascii():
        return text.replace("\x00", "")
    return text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(value: Any) -> Any:
    """`clean_text` for every text in a JSON-like value, keys included."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {clean(key): clean(item) for key, item in value.items()}
        case list() | tuple():
            return [clean(item) for item in value]
        case _:
            return value


def loads(data: bytes, type: type[T]) -> T:
    """Provider JSON into a struct. Lone surrogates, which strict parsers refuse, are mended rather than fatal.

    Raises `msgspec.DecodeError` (its `ValidationError` included) for anything else that is not right.
    """
    try:
        return msgspec.json.decode(data, type=type)
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return msgspec.json.decode(_mended(data, error), type=type)


def _mended(data: bytes, error: Exception) -> bytes:
    try:
        return msgspec.json.encode(clean(json.loads(data.decode("utf-8", "replace"))))
    except (ValueError, RecursionError):
        raise msgspec.DecodeError(str(error)) from None


def _without_raw(envelope: Envelope) -> Envelope:
    return msgspec.structs.replace(envelope, raw=None)


def _own_json(value: Any) -> Any:
    """JSON that stands in an envelope as it is."""
    assert isinstance(value, msgspec.Raw)
    return json.loads(bytes(value))
