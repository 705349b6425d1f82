"""The OpenAPI 3.1 document, made of the table of operations and the structs that they name."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from gateway.api.base import Operation
from gateway.api.operations import OPERATIONS
from gateway.api.problems import ANYWHERE, BODY, CODES, CONTENT_TYPE, WRITES, ProblemBody
from gateway.api.serve import JSON, KEY_HEADER
from gateway.api.shapes import MAX_KEY_CHARS, ShownEnvelope

REF = "#/components/schemas/{name}"
DOCUMENT_PATH = "/v1/openapi.json"
VERSION = "1"
DESCRIPTION = (
    "One customer, one conversation, every channel. Every request but the one for this document carries an API key "
    "(`Authorization: Bearer tl_...`); the scopes are read < write < admin. Errors are problems (RFC 9457) whose "
    "`type` is `urn:throughline:` and a code that does not change."
)

Json = dict[str, Any]


def openapi() -> Json:
    """As JSON has it: lists, not tuples."""
    document: Json = msgspec.json.decode(msgspec.json.encode(_document()))
    return document


def _document() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": "throughline", "version": VERSION, "description": DESCRIPTION},
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key, `tl_...`."}},
        },
    }


def _paths() -> Json:
    paths: Json = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    paths[DOCUMENT_PATH] = {
        "get": {
            "operationId": "getDocument",
            "summary": "This document.",
            "security": [],
            "responses": {"200": {"description": "OK", "content": {JSON: {"schema": {"type": "object"}}}}},
        }
    }
    return paths


def _operation(one: Operation) -> Json:
    described: Json = {
        "operationId": one.id,
        "summary": one.summary,
        "security": [{"key": [one.scope.name.lower()]}],
        "parameters": [*_path_parameters(one), *_query_parameters(one), *_headers(one)],
        "responses": {**_answers(one), **_problems(errors_of(one))},
    }
    if one.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(one.body)}}}
    return described


def errors_of(one: Operation) -> tuple[str, ...]:
    """Every code that the operation may answer with."""
    return (*ANYWHERE, *(BODY if one.body is not None else ()), *(WRITES if one.writes else ()), *one.errors)


def _path_parameters(one: Operation) -> list[Json]:
    named = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named]


def _query_parameters(one: Operation) -> list[Json]:
    if one.query is None:
        return []
    _, components = msgspec.json.schema_components((one.query,), ref_template=REF)
    schema = components[one.query.__name__]
    required = schema.get("required", ())
    return [_query_parameter(name, field, name in required) for name, field in schema["properties"].items()]


def _query_parameter(name: str, field: Json, required: bool) -> Json:
    """What may be left out is null to us and simply not there to the caller."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    kept = {key: value for key, value in field.items() if key not in {"anyOf", "description"} and value is not None}
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
    schema = {**kept, **(kinds[0] if kinds else {})}
    description = field.get("description", schema.pop("description", ""))
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def _headers(one: Operation) -> list[Json]:
    if one.key is None:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS}
    text = "Names the request within the conversation: a repeat has no second effect and gets the same answer."
    return [{"name": KEY_HEADER, "in": "header", "required": one.key == "required", "schema": schema,
             "description": text}]  # fmt: skip


def _answers(one: Operation) -> Json:
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": {JSON: {"schema": _ref(struct)}}}
        for status, struct in one.answers.items()
    }


def _problems(codes: Iterable[str]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code][0], []).append(code)
    return {str(status): _problem(names) for status, names in sorted(by_status.items())}


def _problem(codes: list[str]) -> Json:
    text = "\n".join(f"- `{code}`: {CODES[code][1]}." for code in codes)
    return {"description": text, "content": {CONTENT_TYPE: {"schema": _ref(ProblemBody)}}}


def _ref(struct: type[Struct]) -> Json:
    return {"$ref": REF.format(name=struct.__name__)}


def _schemas() -> Json:
    wanted: set[type[Struct]] = {ProblemBody, ShownEnvelope}
    for one in OPERATIONS:
        wanted |= {*one.answers.values(), *({one.body} if one.body is not None else ())}
    _, components = msgspec.json.schema_components(sorted(wanted, key=lambda struct: struct.__name__), ref_template=REF)
    # Envelopes are encoded by the codec and travel through the page as they are.
    components["EnvelopePage"]["properties"]["items"]["items"] = _ref(ShownEnvelope)
    return components
