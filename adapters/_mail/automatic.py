"""Did a machine write it? Then no machine of ours answers: two of them would never stop (RFC 3834 §2).

Rule: one sign is enough. A human mail that bears one by mistake is still shown to people; only automatic answers stop.
"""

import re

from adapters._mail.headers import Headers
from adapters._mail.model import Kind

_ANY = (
    "x-autoreply", "x-autorespond", "x-auto-reply-from", "x-autoreply-from", "x-loop", "x-fc-machinegenerated",
    "x-failed-recipients", "x-mail-autoreply", "x-vacation",
)  # fmt: skip
"""Fields that say it by being there."""
_LISTS = ("list-id", "list-post", "list-unsubscribe", "x-mailing-list", "mailing-list", "list-help")
_PRECEDENCES: dict[str, Kind] = {
    "bulk": "list", "list": "list", "junk": "automatic", "auto_reply": "automatic", "auto-reply": "automatic",
}  # fmt: skip
_SUPPRESS = frozenset({"all", "oof", "autoreply"})
_MAILTO = re.compile(r"(?i)mailto:([^\s<>?,]{1,320})")
_UNATTENDED = re.compile(
    r"(?i)(?:mailer-?daemon|mail-?daemon|postmaster|(?:do[-_.]?)?no[-_.]?t?[-_.]?reply|noreply[-_.+].*|no-reply[-_.+].*"
    r"|bounces?|bounces?[-+].*|auto-?responder|auto-?reply|nicht-?antworten|ne-pas-repondre)"
)
_SUBJECT = re.compile(
    r"(?i)\s*(?:automatic reply|auto(?:matic)?[- ]?re(?:ply|sponse)|automatische antwort|abwesenheits\w+|out of office"
    r"|out of the office|réponse automatique|respuesta automática|risposta automatica|automatisch antwoord"
    r"|resposta automática|autosvar|automatické odpověď|automatyczna odpowiedź|automaattinen vastaus|автоответ"
    r"|自动回复|自動返信|자동 응답)\b.{0,3}[:：(\]-]"
)


def is_unattended(address: str) -> bool:
    return _UNATTENDED.fullmatch(address.rpartition("@")[0][:64]) is not None


def automatic_sign(headers: Headers, subject: str | None) -> tuple[Kind, str] | None:
    """What kind of machine, and the sign that tells it. The From is judged by whoever knows whom an answer goes to."""
    if headers.tokens("auto-submitted").partition(";")[0].strip() not in ("", "no"):
        return "automatic", "auto-submitted"
    if (field := next((name for name in _ANY if name in headers), None)) is not None:
        return "automatic", field
    if "autoresponder" in headers.tokens("delivered-to") or "autoresponder" in headers.tokens("x-post-messageclass"):
        return "automatic", "delivered-to"
    suppressed = {word.strip() for word in headers.raw("x-auto-response-suppress").lower().split(",")}
    if suppressed & _SUPPRESS:
        return "automatic", "x-auto-response-suppress"
    if (field := next((name for name in _LISTS if name in headers), None)) is not None:
        return "list", field
    precedence = headers.tokens("precedence")
    if precedence in _PRECEDENCES:
        return _PRECEDENCES[precedence], "precedence"
    if headers.tokens("return-path") == "<>":
        return "automatic", "return-path"
    return ("automatic", "subject") if _SUBJECT.match((subject or "")[:200]) else None


def list_address(headers: Headers) -> str | None:
    """Where one writes to the list."""
    found = _MAILTO.search(headers.raw("list-post"))
    if found:
        return found[1].lower()
    name = re.search(r"<([^<>\s]{1,255})>", headers.raw("list-id"))
    # `support.shop.example` is how Google Groups names support@shop.example.
    return name[1].lower().replace(".", "@", 1) if name and "." in name[1] else None
