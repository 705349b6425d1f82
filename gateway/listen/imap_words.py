"""What stands in IMAP's lines (RFC 9051): the few things that the listener asks for, found whatever stands around them.

Rule: what is not found is None or left out; nothing here raises for what a server says.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

FETCHED = re.compile(rb"\d+ FETCH \(", re.IGNORECASE)
UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
DATE = re.compile(rb'\bINTERNALDATE "([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"', re.IGNORECASE)
STRING = re.compile(rb'\bBODY\[[^\]]*\](?:<\d+>)? "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
CODE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT) (\d+)\]", re.IGNORECASE)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

Lines = Sequence[bytes | bytearray]
"""As aioimaplib gives them: what stood in a literal is a bytearray."""


class Listed(NamedTuple):
    """A mail in the mailbox, before it is fetched."""

    uid: int
    size: int
    date: datetime | None


def codes(lines: Lines) -> dict[bytes, int]:
    """UIDVALIDITY and UIDNEXT, out of the answer to a SELECT."""
    return {name.upper(): int(value) for line in lines for name, value in CODE.findall(line)}


def numbers(lines: Lines) -> list[int]:
    """Of a SEARCH, ascending."""
    return sorted({int(word) for line in lines for word in bytes(line).split() if word.isdigit()})


def listed(lines: Lines) -> list[Listed]:
    """Ascending. What the server tells of flags meanwhile is left out."""
    return sorted(one for one in (_listed(text) for text, _ in _groups(lines)) if one is not None)


def bodies(lines: Lines) -> dict[int, bytes]:
    """By UID."""
    found: dict[int, bytes] = {}
    for text, literals in _groups(lines):
        uid = UID.search(text)
        if uid is not None and b"BODY[" in text.upper():
            found[int(uid.group(1))] = bytes(literals[0]) if literals else _string(text)
    return found


def uid_set(uids: Iterable[int]) -> str:
    """`1:3,7` for 1, 2, 3, 7."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in runs)


def _groups(lines: Lines) -> list[tuple[bytes, list[bytes | bytearray]]]:
    """One for each message of a FETCH: its text without the literals, and these."""
    groups: list[tuple[list[bytes], list[bytes | bytearray]]] = []
    for line in lines:
        if isinstance(line, bytearray):
            if groups:
                groups[-1][1].append(line)
        elif FETCHED.match(line) or not groups:
            groups.append(([line], []))
        else:
            groups[-1][0].append(line)
    return [(b" ".join(text), literals) for text, literals in groups]


def _string(text: bytes) -> bytes:
    """Short ones may stand between quotes."""
    found = STRING.search(text)
    return b"" if found is None else re.sub(rb"\\(.)", rb"\1", found.group(1))


def _listed(text: bytes) -> Listed | None:
    uid, size = UID.search(text), SIZE.search(text)
    return None if uid is None or size is None else Listed(int(uid.group(1)), int(size.group(1)), _date(text))


def _date(text: bytes) -> datetime | None:
    found = DATE.search(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = (part.decode("ascii") for part in found.groups())
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    try:
        place = MONTHS.index(month.lower()) + 1
        return datetime(int(year), place, int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
    except ValueError:
        return None


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def utf7(name: str) -> str:
    """A mailbox's name as IMAP wants it (RFC 3501 §5.1.3)."""
    out, strange = [], ""
    for letter in f"{name}\0":
        if " " <= letter <= "~" or letter == "\0":
            if strange:
                encoded = b64encode(strange.encode("utf-16-be")).decode("ascii").rstrip("=").replace("/", ",")
                out.append(f"&{encoded}-")
                strange = ""
            out.append("&-" if letter == "&" else letter)
        else:
            strange += letter
    return "".join(out)[:-1]
