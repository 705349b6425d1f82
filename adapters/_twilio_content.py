"""Twilio's Content API: questions with answers to tap.

Up to three short answers are buttons, up to ten are a list. Where one does not fit, the question becomes a numbered
text: no answer is ever dropped or cut.

Rule: content of a question is made for one message, just before it, and never waits for approval: inside of the 24
hours none is needed. Whatever goes wrong there, the message itself surely did not go out.
See https://www.twilio.com/docs/content
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from adapters._plain import check
from adapters._twilio import Api, ask
from adapters._twilio_codes import CODES
from adapters.base import Flow, SendError, Unavailable
from normalizer.envelope import Choice, ChoicesOffered
from normalizer.text import cut

BODY_MAX, TITLE_MAX, ID_MAX = 1024, 20, 200
"""Characters, like all limits of texts here."""
BUTTONS_MAX = 3
ROWS_MAX, ROW_TITLE_MAX, ROW_TEXT_MAX = 10, 24, 72
LIST_LABEL = "☰"
"""Opens a list that names no label of its own; in no language."""


class Content(Struct, frozen=True):
    """Has to be made before it can be sent."""

    language: str
    types: Mapping[str, Any]


class _Made(Struct, frozen=True):
    sid: str | None = None


def create(api: Api, content_url: str, content: Content, name: str) -> Flow[str]:
    document = {"friendly_name": name, "language": content.language, "types": content.types}
    try:
        made = yield from ask(api.post_json(f"{content_url.rstrip('/')}/v1/Content", document), _Made, CODES)
    except SendError as error:
        raise error if error.certain else Unavailable("the content got no answer") from error
    if not made.sid:
        raise Unavailable("the content got no id")
    return made.sid


def offered(offer: ChoicesOffered, locale: str | None) -> Content | None:
    """None: to be asked as a text."""
    check(offer.choices)
    types = _types(offer)
    return Content((locale or "en").replace("-", "_"), types) if types else None


def _types(offer: ChoicesOffered) -> dict[str, Any]:
    body = "\n\n".join(filter(None, (offer.header, offer.text, offer.footer)))
    choices, to = offer.choices, offer.link
    if not body or len(body) > BODY_MAX or (choices and to):
        return {}
    if to and len(to.title) <= TITLE_MAX:
        action = {"type": "URL", "title": to.title, "url": to.url}
        return {"twilio/call-to-action": {"body": body, "actions": [action]}}
    if _fit(choices, BUTTONS_MAX, TITLE_MAX) and not any(choice.description for choice in choices):
        buttons = [{"type": "QUICK_REPLY", "title": choice.title, "id": choice.id} for choice in choices]
        return {"twilio/quick-reply": {"body": body, "actions": buttons}}
    if _fit(choices, ROWS_MAX, ROW_TITLE_MAX):
        rows = [{"item": c.title, "id": c.id} | ({"description": d} if (d := c.description) else {}) for c in choices]
        return {
            "twilio/list-picker": {"body": body, "button": cut(offer.button or LIST_LABEL, TITLE_MAX), "items": rows}
        }
    return {}


def _fit(choices: Sequence[Choice], most: int, title_max: int) -> bool:
    short = all(len(c.title) <= title_max and len(c.description or "") <= ROW_TEXT_MAX for c in choices)
    told_apart = len({choice.title for choice in choices}) == len(choices)
    return short and told_apart and 0 < len(choices) <= most and all(len(choice.id) <= ID_MAX for choice in choices)
