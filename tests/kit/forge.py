"""Ways to almost sign, and the check that none of them is a signature.

Rule: every variant differs from the good request in what is signed or in its proof, so that each one must be refused.
"""

from collections.abc import Mapping

import msgspec

from adapters.base import RawInbound
from tests.kit.cases import Subject
from tests.kit.contract import check_refused

Forged = Mapping[str, RawInbound]
"""By a label that says what is wrong."""
VARIANTS_MIN = 30


def check_forged(subject: Subject, good: RawInbound, forged: Forged, *, least: int = VARIANTS_MIN) -> None:
    """The good request is accepted and every other one refused; at least so many, each of them once."""
    assert subject.adapter.verify(good) is None, "the request that all others differ from is refused"
    assert len(forged) >= least, f"{len(forged)} variants"
    seen: list[RawInbound] = [good]
    for label, raw in forged.items():
        assert raw not in seen, f"{label}: seen before"
        seen.append(raw)
        try:
            check_refused(subject, raw)
        except AssertionError as error:
            raise AssertionError(f"{label}: {error}") from error


def forged_header(good: RawInbound, name: str) -> dict[str, RawInbound]:
    """`good` with its signature header missing, cut, doubled, recoded: whatever the signature's alphabet is."""
    value = good.headers[name]
    changed = {f"{name}: {label}": _with(good, name, odd) for label, odd in _values(value).items()}
    return {f"{name}: missing": _with(good, name, None), **changed}


def forged_body(good: RawInbound) -> dict[str, RawInbound]:
    """`good` with another body under its signature."""
    body = good.body
    odd = {
        "no body": b"",
        "the body without its last byte": body[:-1],
        "the body without its first byte": body[1:],
        "a blank behind the body": body + b" ",
        "a line end behind the body": body + b"\n",
        "a NUL behind the body": body + b"\x00",
        "the body twice": body + body,
        "a bit of the body": bytes([body[0] ^ 1]) + body[1:],
        "a bit in the middle of the body": body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 1])
        + body[len(body) // 2 + 1 :],
    }  # fmt: skip
    return {label: msgspec.structs.replace(good, body=bytes_) for label, bytes_ in odd.items()}


def _values(value: str) -> dict[str, str]:
    first, last = ("B" if value[0] == "A" else "A"), ("B" if value[-1] == "A" else "A")
    odd = {
        "empty": "",
        "a blank": " ",
        "cut by one": value[:-1],
        "cut by half": value[: len(value) // 2],
        "without its beginning": value[1:],
        "a letter more": value + "A",
        "another beginning": first + value[1:],
        "another end": value[:-1] + last,
        "backwards": value[::-1],
        "in the other case": value.swapcase(),
        "a blank before": " " + value,
        "a blank behind": value + " ",
        "a line end behind": value + "\n",
        "in quotes": f'"{value}"',
        "twice": f"{value}, {value}",
        "first of two": f"{value}, {'0' * len(value)}",
        "second of two": f"{'0' * len(value)}, {value}",
        "zeros": "0" * len(value),
        "not ASCII": "é" * len(value),
        "digits of another script": "٣" * len(value),
        "a lone surrogate": "\ud800" * len(value),
        "a NUL in it": value[:3] + "\x00" + value[3:],
        "very long": value * 1000,
    }
    return {label: text for label, text in odd.items() if text != value}


def _with(raw: RawInbound, name: str, value: str | None) -> RawInbound:
    headers = {key: given for key, given in raw.headers.items() if key != name}
    return msgspec.structs.replace(raw, headers=headers if value is None else {**headers, name: value})
