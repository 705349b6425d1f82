"""Reports on what we sent: bounces (RFC 3464), complaints (RFC 5965), read receipts (RFC 8098), and the bounces that
mail servers write in words of their own (qmail, Exim, Exchange, Gmail, Microsoft 365, Postfix).

Rule: a report only counts for a Message-ID of ours whose proof fits; whoever reads `Mail.about` sees to that.
Rule: `delayed` is no failure. Permanent is what says 5.x.x; where nothing says so, words decide, and else it is.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from msgspec import Struct

from adapters._mail.addresses import mailbox, normal_address
from adapters._mail.automatic import is_unattended
from adapters._mail.headers import Headers, ids, read_headers
from adapters._mail.mime import Part, Tree, content
from adapters._mail.model import Fate, Kind, MailLimits
from adapters._mail.tokens import like_own_ids

MAX_FATES = 100
"""Recipients of one report."""
TEXT_CHARS = 20_000
"""Of a bounce in words that are looked through."""
QUOTE_CHARS = 60_000
"""Of each of its parts in which the original may be quoted ..."""
QUOTE_PARTS = 10
"""... and so many parts."""
DIAGNOSTIC_CHARS = 500
MIN_REASON_WORDS = 3
_ACTIONS: dict[str, Literal["failed", "delayed", "delivered"]] = {
    "failed": "failed", "failure": "failed", "delayed": "delayed", "delivered": "delivered",
}  # fmt: skip
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_CODE = re.compile(r"(?<![\d.])([45])\d\d(?![\d.])")
_ORIGINALS = ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global",
              "message/global-headers")  # fmt: skip
_NAMED = ("original-message-id", "x-original-message-id", "original-envelope-id")
"""Fields that name the original: of the report's header, or of its status part. (Our mails go out with their Message-ID
as the envelope's, RFC 3461 §4.4.)"""
_MESSAGE_ID = re.compile(r"(?im)^[> \t]*message-id:[ \t]*(?:\r?\n[> \t]+)?[^\r\n]{1,500}")
_COPY = re.compile(
    r"(?im)^[-_=* >]*(?:this is a copy of (?:the|your) message|below this line is a copy of the message"
    r"|original message (?:follows|headers|header)|included is the|the following is a copy|unsent message below"
    r"|message header follows|original message ------|copy of the (?:original )?message).*$"
    r"|(?<=\n\n)(?:received|return-path|from|message-id|date|to|subject|x-[a-z-]{1,30}):.*$"
)
_DAEMON = re.compile(r"(?i)mailer-?daemon|mail-?daemon|postmaster|mdaemon|microsoftexchange[0-9a-f]{16,40}|mmsdeliver")
"""Who writes for a mail server."""
_FAILED = re.compile(
    r"(?i)undeliver|not be delivered|couldn.t be delivered|could not deliver|delivery (?:status|has failed"
    r"|failure|failed|to the following|incomplete)|returned mail|mail delivery (?:failed|system|subsystem)"
    r"|failure notice|unzustellbar|nicht zugestellt|zustellung fehlgeschlagen|non remis|échec de la remise"
    r"|no se (?:ha )?(?:pudo|podido) entregar|non (?:è )?recapitat|mancat[ao] (?:consegna|recapito)|pas pu être remis"
    r"|não foi possível entregar|niet (?:worden )?bezorgd|не доставлен|не может быть доставлен|nie można dostarczyć"
    r"|niedostarczon|退信|无法投递|無法投遞|配信できません"
    r"|did not reach|wasn.t able to deliver|unable to deliver|permanent(?:ly)? (?:error|fail)|message (?:was )?rejected"
    r"|undelivered|não (?:pôde ser )?entregue|mail system error"
)
_DELAYED = re.compile(
    r"(?i)has been delayed|\bdelay(?:ed)?\b.{0,40}(?:warning|notification|\))|warning: message|will be retried"
    r"|not yet been delivered|still being retried|verzögert|retardé|demorad|retrasad|in ritardo|atrasad|vertraagd"
    r"|opóźnion|задержан|遅延|延迟|延遲"
)
_GIVEN_UP = re.compile(
    r"(?i)permanent|giv(?:en|ing) up|too long|expired|returned to sender|returning message to sender"
)
_SOFT = re.compile(
    r"(?i)mailbox (?:is )?full|over ?quota|quota exceeded|exceeded .{0,30}(?:quota|storage)|storage|temporar|try again"
    r"|timed? ?out|greylist|deferred|too many|insufficient|postfach.{0,20}voll|connection refused|rate limit"
    r"|boîte.{0,20}pleine|buzón.{0,20}lleno|casella.{0,20}piena|caixa.{0,20}cheia|postvak.{0,20}vol\b|переполнен|邮箱.{0,9}满"
)
_LINE_ADDRESS = re.compile(
    r"(?m)^[ \t>*'\"-]{0,12}<?([^\s<>,;:'\"()]{1,64}@[^\s<>,;:'\"()]{1,255})>?['\"]?[ \t]*"
    r"(?::|\r?$|[ \t]on[ \t]|[ \t]\()"
)
_TOLD = re.compile(
    r"(?i)(?:your message to|message (?:to|for)|delivery to|deliver (?:your )?(?:message|mail) to|recipients?:?"
    r"|nachricht an|empfänger:?)\s{1,3}<?(?:mailto:)?([^\s<>,;:'\"()]{1,64}@[^\s<>,;:'\"()]{1,255})>?"
)
_ADDRESS = re.compile(r"[^\s<>,;:'\"()@]{1,64}@[^\s<>,;:'\"()@]{1,255}")


class Report(Struct, frozen=True):
    kind: Kind
    fates: tuple[Fate, ...] = ()
    about: tuple[str, ...] = ()
    """Ids that it may be about, the surest first."""


def read_report(tree: Tree, text: str, limits: MailLimits) -> Report | None:
    """None: it is none. What somebody forwards of a report is a message of his."""
    headers = tree.root.headers
    if not (tree.root.mime == "multipart/report" or _is_daemon(headers) or _has_signs(headers)):
        return None
    leaves = {leaf.mime: leaf for leaf in reversed(list(tree.root.leaves()))}
    part = leaves.get("message/delivery-status") or leaves.get("message/global-delivery-status")
    status = _blocks(tree, part, limits) if part is not None else []
    copied = tuple(_copied(tree, leaves, status, limits))
    about = tuple(dict.fromkeys((*copied, *_referred(headers)))) or _named(text[:TEXT_CHARS])
    if (part := leaves.get("message/feedback-report")) is not None:
        return _complaint(_blocks(tree, part, limits), about)
    if (part := leaves.get("message/disposition-notification")) is not None:
        return _disposition(_blocks(tree, part, limits), about)
    if status:
        return _of_fates(_fates(status), about)
    return _in_words(headers, text[:TEXT_CHARS], about, is_ours=any(map(like_own_ids, copied)))


def _is_daemon(headers: Headers) -> bool:
    """A mail server wrote it, and nothing but a mail server."""
    sender = mailbox(headers.raw("from"))
    if sender is None or "x-failed-recipients" in headers or "x-ms-exchange-message-is-ndr" in headers:
        return True
    return _DAEMON.fullmatch(sender.address.rpartition("@")[0][:64]) is not None


def _has_signs(headers: Headers) -> bool:
    """A machine wrote it, and maybe for a mail server."""
    sender = mailbox(headers.raw("from"))
    return headers.tokens("return-path") == "<>" or (sender is not None and is_unattended(sender.address))


def _of_fates(fates: tuple[Fate, ...], about: tuple[str, ...]) -> Report:
    tells = any(fate.action in ("failed", "delivered") for fate in fates)
    return Report(
        "bounce" if tells or not fates else "notice", fates or (Fate(recipient=None, action="failed"),), about
    )


def _blocks(tree: Tree, part: Part, limits: MailLimits) -> list[Headers]:
    """Groups of fields, with blank lines between them."""
    data = content(tree.data, part, limits.max_header_bytes).replace(b"\r\n", b"\n").strip(b"\n")
    return [read_headers(block, limits) for block in re.split(rb"\n[ \t]*\n+", data, maxsplit=2 * MAX_FATES)]


def _copied(tree: Tree, leaves: dict[str, Part], status: list[Headers], limits: MailLimits) -> Iterator[str]:
    """Ids of what it brings back, and of what it says to be about."""
    for part in (leaves[mime] for mime in _ORIGINALS if mime in leaves):
        head = re.split(rb"\r?\n\r?\n", content(tree.data, part, limits.max_header_bytes).lstrip(), maxsplit=1)[0]
        yield from ids(read_headers(head, limits).raw("message-id"))
    for fields in (tree.root.headers, *status[:1]):
        yield from (id for name in _NAMED for id in ids(fields.raw(name)))
    texts = [content(tree.data, leaf, QUOTE_CHARS) for leaf in islice(tree.root.leaves(), QUOTE_PARTS)]
    quoted = [text[:QUOTE_CHARS].decode("latin-1") for text in texts]
    # The copy's own id stands in a line of that name; its other fields may name mails of ours that arrived.
    yield from (id for text in quoted for line in _MESSAGE_ID.findall(text) for id in like_own_ids(line))
    yield from (id for text in quoted for id in like_own_ids(text))


def _referred(headers: Headers) -> tuple[str, ...]:
    """The last of References is the nearest."""
    return (*ids(headers.raw("in-reply-to")), *reversed(ids(headers.raw("references"))))


def _named(text: str) -> tuple[str, ...]:
    """In a line of the copy that a server's words end with; of any program's mail."""
    return tuple(dict.fromkeys(id for line in _MESSAGE_ID.findall(text) for id in ids(line.partition(":")[2])))


# --- in fields ----------------------------------------------------------------------------------------------------


def _fates(blocks: list[Headers]) -> tuple[Fate, ...]:
    return tuple(_fate(block) for block in blocks if _names_recipient(block))[:MAX_FATES]


def _names_recipient(block: Headers) -> bool:
    return any(name in block for name in ("final-recipient", "original-recipient", "action", "x-actual-recipient"))


def _fate(block: Headers) -> Fate:
    status = _STATUS.search(block.raw("status") or block.raw("diagnostic-code"))
    diagnostic = block.raw("diagnostic-code").partition(";")[2].strip() or block.raw("diagnostic-code")
    if status and status[1].endswith(".0.0"):
        # Many write 5.0.0 and tell more in words.
        status = _STATUS.search(diagnostic) or status
    said = block.tokens("action").split()
    action = _ACTIONS.get(said[0] if said else "failed", "delayed")
    code = status[1] if status else None
    return Fate(
        recipient=_recipient(block),
        action="delivered" if action == "failed" and code and code.startswith("2") else action,
        hard=_is_hard(code, diagnostic),
        status=code,
        text=diagnostic[:DIAGNOSTIC_CHARS],
    )


def _recipient(block: Headers) -> str | None:
    """Whom we wrote to stands first: it may have been forwarded to somebody else."""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        found = mailbox(block.raw(name).partition(";")[2] or block.raw(name))
        if found is not None:
            return found.address
    return None


def _is_hard(status: str | None, words: str) -> bool:
    if status is not None and status[0] in "45":
        # A full mailbox is often reported as permanent (RFC 3463 §3.3), and is not.
        full = status == "5.2.2" or (status.endswith(".0") and _SOFT.search(words) is not None)
        return status[0] == "5" and not full
    if _SOFT.search(words):
        return False
    code = _CODE.search(words)
    return code is None or code[1] == "5"


def _complaint(blocks: list[Headers], about: tuple[str, ...]) -> Report:
    fields = blocks[0] if blocks else Headers([])
    said = fields.tokens("feedback-type") or "abuse"
    who = mailbox(fields.raw("original-rcpt-to")) or mailbox(fields.raw("removal-recipient"))
    return Report("complaint", (Fate(recipient=who.address if who else None, action="failed", text=said[:60]),), about)


def _disposition(blocks: list[Headers], about: tuple[str, ...]) -> Report:
    fields = blocks[0] if blocks else Headers([])
    original = ids(fields.raw("original-message-id"))
    read = "displayed" in fields.tokens("disposition").partition(";")[2]
    fate = Fate(recipient=_recipient(fields), action="delivered", text=fields.tokens("disposition")[:200])
    return Report("read_receipt" if read else "notice", (fate,), tuple(dict.fromkeys((*original, *about))))


# --- in words -----------------------------------------------------------------------------------------------------


def _in_words(headers: Headers, text: str, about: tuple[str, ...], *, is_ours: bool) -> Report | None:
    """`is_ours`: it brings back a mail that looks like one of ours."""
    listed = [found.address for piece in headers.raw("x-failed-recipients").split(",") if (found := mailbox(piece))]
    copy = _COPY.search(text)
    words = text[: copy.start()] if copy else text
    said = f"{headers.text('subject')[:500]}\n{words}"
    if not (_is_daemon(headers) or is_ours or any(map(like_own_ids, about))):
        # `Your parcel could not be delivered`: a machine's letter that concerns no mail.
        return None
    if _DELAYED.search(said) and not listed and not _GIVEN_UP.search(said):
        return Report("notice", (), about)
    if not (listed or _FAILED.search(said) or (is_ours and _refusal(words))):
        return None
    recipients = list(dict.fromkeys([*listed, *([] if listed else _recipients(words))]))[:MAX_FATES]
    return Report("bounce", tuple(_fates_in_words(recipients, words)), about)


def _refusal(words: str) -> bool:
    """A code says what the words say in a language that we do not know."""
    codes = (found[1][0] for pattern in (_STATUS, _CODE) for found in pattern.finditer(words))
    return "5" in codes


def _recipients(words: str) -> Iterator[str]:
    for pattern in (_LINE_ADDRESS, _TOLD):
        found = [normal_address(match[1].rstrip(".")) for match in pattern.finditer(words)]
        found = [one for one in found if not is_unattended(one) and "." in one.rpartition("@")[2]]
        if found:
            yield from found
            return
    named = {normal_address(one.rstrip(".")) for one in _ADDRESS.findall(words)}
    named = {one for one in named if not is_unattended(one)}
    if len(named) == 1:
        yield from named


def _fates_in_words(recipients: list[str], words: str) -> Iterator[Fate]:
    """What is said below a recipient, up to the next one, is said of him."""
    low = words.lower()
    places = {recipient: low.find(recipient.lower()) for recipient in recipients}
    ends = sorted(place for place in places.values() if place >= 0)
    for recipient, place in places.items():
        end = next((other for other in ends if other > place), len(words))
        own = words[place:end] if place >= 0 else words
        named_only = len(own.split()) < MIN_REASON_WORDS
        if named_only or (len(recipients) == 1 and not _STATUS.search(own) and _STATUS.search(words)):
            own = words  # the reason stands elsewhere
        yield _fate_in_words(recipient, own)
    if not recipients:
        yield _fate_in_words(None, words)


def _fate_in_words(recipient: str | None, words: str) -> Fate:
    status = next((found[1] for found in _STATUS.finditer(words) if found[1][0] != "2"), None)
    reason = " ".join(words.split())[:DIAGNOSTIC_CHARS]
    return Fate(recipient=recipient, action="failed", hard=_is_hard(status, words), status=status, text=reason)
