"""From the bytes of a message to what was read of it, and to its files.

Rule: never raises, whatever arrives. A part that can not be read harms itself only.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Literal

from adapters._mail import html as markup
from adapters._mail.addresses import mailbox, mailboxes
from adapters._mail.automatic import automatic_sign, is_unattended, list_address
from adapters._mail.headers import Headers, date, decoded_words, ids, message_id, safe_filename
from adapters._mail.mime import Part, Tree, content, read_tree, size, uuencoded
from adapters._mail.model import File, Kind, Mail, Mailbox, MailLimits
from adapters._mail.reply import Split, split
from adapters._mail.reports import Report, read_report
from adapters._mail.text import Block, Words, blocks, file_parts, words
from adapters._mail.trust import read_verdicts
from adapters.base import Carried

_ARRIVED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-forwarded-to", "x-delivered-to")
_SHOWN = (
    "from", "sender", "reply-to", "to", "cc", "date", "subject", "message-id", "in-reply-to", "references",
    "delivered-to", "x-original-to", "return-path", "auto-submitted", "precedence", "list-id", "importance",
    "x-priority", "user-agent", "x-mailer", "content-language", "x-original-from", "x-original-sender",
)  # fmt: skip
CALENDAR_BYTES = 4_096
"""Of an invitation in which its method is looked for."""
MAX_IDS = 200
"""Of a References field: the first and the last ones."""
SHOWN_CHARS = 1_000
_METHOD = re.compile(rb"(?im)^METHOD:[ \t]*([A-Z]{1,20})\b")
_PKCS7 = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_ARMOUR = "-----BEGIN PGP MESSAGE-----"


def read_mail(data: bytes, limits: MailLimits) -> Mail:
    tree = read_tree(data, limits)
    headers = tree.root.headers
    found = list(blocks(tree.root))
    said = words(tree, found, limits)
    subject = headers.text("subject") or None
    report = read_report(tree, said.text, limits)
    new = _new(said, subject)
    calendar = next((p for p in tree.root.leaves() if p.mime == "text/calendar"), None)
    method = _method(tree, calendar) if calendar else ""
    sign = automatic_sign(headers, subject)
    from_ = _addresses(headers, "from", limits)
    return Mail(
        message_id=message_id(headers.raw("message-id")),
        in_reply_to=ids(headers.raw("in-reply-to"))[:MAX_IDS],
        references=_ends(ids(" ".join(headers.all("references")))),
        subject=subject,
        from_=from_,
        sender=mailbox(headers.raw("sender")),
        to=_addresses(headers, "to", limits),
        cc=_addresses(headers, "cc", limits),
        reply_to=_addresses(headers, "reply-to", limits),
        delivered_to=tuple(box.address for name in _ARRIVED for box in _addresses(headers, name, limits)),
        rewritten_from=mailbox(headers.raw("x-original-from")) or mailbox(headers.raw("x-original-sender")),
        date=date(headers.raw("date")),
        language=headers.tokens("content-language").partition(",")[0].strip()[:35] or None,
        kind=_kind(report, method, sign[0] if sign else "message"),
        automatic=sign[1] if sign else None,
        unattended=bool(from_) and is_unattended(from_[0].address),
        list_address=list_address(headers),
        forwarded=new.forwarded,
        text=said.text,
        html=markup.sanitized(said.html) if said.html else None,
        visible=new.visible,
        quoted=new.quoted,
        signature=new.signature,
        files=tuple(file for file, _, _ in _files(tree, found, limits)),
        fates=report.fates if report else (),
        about=report.about if report else (),
        calendar=method or ("PUBLISH" if calendar else None),
        sealed=_sealed(tree.root, said.text.lstrip()),
        signed=_signed(tree.root),
        return_path=_return_path(headers),
        verdicts=read_verdicts(headers),
        digest=blake2b(memoryview(tree.data)[tree.root.start :], digest_size=16).hexdigest(),
        size=len(data),
        cut=tree.cut,
        headers=tuple((n, decoded_words(v)[:SHOWN_CHARS]) for n, v in headers.fields if n in _SHOWN)[:60],
    )


def carried(data: bytes, limits: MailLimits) -> Sequence[Carried]:
    """The files that `read_mail` names."""
    tree = read_tree(data, limits)
    found = list(blocks(tree.root))
    return [
        Carried(ref=file.ref, data=_bytes(tree, part, place), mime=file.mime)
        for file, part, place in _files(tree, found, limits)
    ]


def _kind(report: Report | None, method: str, otherwise: Kind) -> Kind:
    if report is not None:
        return report.kind
    return "calendar" if method else otherwise


def _addresses(headers: Headers, name: str, limits: MailLimits) -> tuple[Mailbox, ...]:
    found = mailboxes(", ".join(headers.all(name)), limits.max_addresses)
    return tuple({box.address.lower(): box for box in reversed(found)}.values())[::-1]


def _ends(found: tuple[str, ...]) -> tuple[str, ...]:
    return found if len(found) <= MAX_IDS else (*found[: MAX_IDS // 2], *found[-MAX_IDS // 2 :])


def _return_path(headers: Headers) -> str | None:
    value = headers.tokens("return-path")
    box = mailbox(value)
    return box.address if box else "" if value == "<>" else None


# --- text ---------------------------------------------------------------------------------------------------------


def _new(said: Words, subject: str | None) -> Split:
    """HTML tells what it quotes better than its text can, where there is no text of its own."""
    if said.plain or not said.html:
        return split(said.text, subject)
    outside, inside = markup.without_quotes(said.html)
    if not inside or not (new := markup.text_of(outside)):
        return split(said.text, subject)
    found = split(new, subject)
    if found.forwarded:
        return split(said.text, subject)
    quoted = markup.text_of(inside)
    return Split(found.visible, f"{found.quoted}\n{quoted}".strip(), found.signature)


# --- files --------------------------------------------------------------------------------------------------------


def _files(tree: Tree, found: list[Block], limits: MailLimits) -> Iterator[tuple[File, Part, int | None]]:
    """With the part that holds it, and its place among the uuencoded ones of a text."""
    count = 0
    for part in file_parts(tree.root, found):
        if count >= limits.max_files:
            return
        count += 1
        yield _file(part), part, None
    for part in (part for block in found for part in block.plain):
        for place, (name, data) in enumerate(_uu(tree, part)):
            if count >= limits.max_files:
                return
            count += 1
            ref = f"part/{part.number}/{place + 1}"
            name_ = safe_filename(name)
            yield File(ref=ref, mime="application/octet-stream", size=len(data), filename=name_), part, place


def _file(part: Part) -> File:
    content_id = part.headers.raw("content-id").strip("<> ")[:256] or None
    return File(
        ref=f"part/{part.number}",
        mime=part.mime,
        size=size(part),
        filename=part.filename or _default_name(part),
        content_id=content_id,
        inline=part.disposition == "inline" or (content_id is not None and part.disposition != "attachment"),
    )


def _default_name(part: Part) -> str | None:
    match part.mime:
        case "message/rfc822":
            return "message.eml"
        case "text/calendar":
            return "invite.ics"
        case "application/ms-tnef":
            return "winmail.dat"
        case _:
            return None


def _uu(tree: Tree, part: Part) -> list[tuple[str, bytes]]:
    body = memoryview(tree.data)[part.start : part.end]
    return uuencoded(content(tree.data, part))[1] if b"begin " in bytes(body[:2_000_000]) else []


def _bytes(tree: Tree, part: Part, place: int | None) -> bytes:
    return content(tree.data, part) if place is None else _uu(tree, part)[place][1]


# --- what it is ---------------------------------------------------------------------------------------------------


def _method(tree: Tree, part: Part) -> str:
    """Of the parameter; else of its own words, where it is no file that somebody put below his text."""
    named = part.parameters.get("method", "").strip()
    if not named and part.disposition != "attachment" and not part.filename:
        found = _METHOD.search(content(tree.data, part, CALENDAR_BYTES))
        named = found[1].decode("ascii") if found else ""
    return named.upper()[:20]


def _sealed(root: Part, text: str) -> Literal["smime", "pgp"] | None:
    """The whole of it, or a part (a list puts its footer below); also by a signature that holds the text within."""
    if text.startswith(_ARMOUR):
        return "pgp"
    if root.mime in _PKCS7:
        return "smime"
    return next(_sealed_parts(root), None)


def _sealed_parts(part: Part) -> Iterator[Literal["smime", "pgp"]]:
    if part.mime == "multipart/encrypted":
        yield "pgp"
    # Signed invoices are sent as files of that type, too.
    elif part.mime in _PKCS7 and "enveloped" in part.parameters.get("smime-type", "").lower():
        yield "smime"
    for child in part.children:
        yield from _sealed_parts(child)


def _signed(root: Part) -> Literal["smime", "pgp"] | None:
    if root.mime == "multipart/signed":
        return "pgp" if "pgp" in root.parameters.get("protocol", "") else "smime"
    return "smime" if root.mime in _PKCS7 and root.parameters.get("smime-type", "").startswith("signed") else None
