"""Questions with answers to tap, as the richest thing that WhatsApp takes them as.

Up to three short answers are buttons, up to ten are a list, more become a numbered text; so do all in a group, where
nothing can be tapped.

Rule: no answer is ever dropped. A title that is too long is cut, and stands whole in the row's description; where it
does not fit there either, the question becomes a numbered text.
"""

from collections.abc import Sequence
from typing import Any

from adapters.base import Refused
from normalizer.envelope import Choice, ChoicesOffered
from normalizer.text import cut, split

TEXT_MAX = 4096
"""Characters, like all limits here."""
BODY_MAX = 1024
LIST_BODY_MAX = 4096
HEADER_MAX = 60
FOOTER_MAX = 60
BUTTONS_MAX = 3
BUTTON_TITLE_MAX = 20
BUTTON_ID_MAX = 256
ROWS_MAX = 10
ROW_TITLE_MAX = 24
ROW_ID_MAX = 200
ROW_TEXT_MAX = 72
SECTION_MAX = 24
LIST_LABEL = "☰"
"""Opens a list that names no label of its own; in no language."""

Content = dict[str, Any]


def text(body: str) -> Content:
    return {"type": "text", "text": {"body": body, "preview_url": "https://" in body or "http://" in body}}


def texts(body: str) -> list[Content]:
    return [text(piece) for piece in split(body, TEXT_MAX)]


def offered(offer: ChoicesOffered, *, in_group: bool) -> list[Content]:
    """The messages that ask this; the last one holds the answers."""
    _check(offer.choices)
    if in_group:
        return texts(_numbered(offer))
    if offer.request is not None and not offer.choices:
        kind, action = _REQUESTS[offer.request]
        return _interactive(offer, kind, {"name": action}, BODY_MAX)
    if offer.link and not offer.choices:
        shown = {"display_text": cut(offer.link.title, BUTTON_TITLE_MAX), "url": offer.link.url}
        return _interactive(offer, "cta_url", {"name": "cta_url", "parameters": shown}, BODY_MAX)
    if not offer.choices:
        return texts(_numbered(offer))
    if _fit_buttons(offer.choices):
        return _interactive(offer, "button", {"buttons": [_button(choice) for choice in offer.choices]}, BODY_MAX)
    if _fit_list(offer.choices):
        return _interactive(offer, "list", _list(offer), LIST_BODY_MAX)
    return texts(_numbered(offer))


_REQUESTS = {
    "location": ("location_request_message", "send_location"),
    "contact": ("request_contact_info", "request_contact_info"),
}


def _check(choices: Sequence[Choice]) -> None:
    ids = [choice.id for choice in choices]
    if not all(ids) or not all(choice.title.strip() for choice in choices):
        raise Refused("a choice needs an id and a title")
    if len(set(ids)) < len(ids):
        raise Refused("two choices have the same id")


def _fit_buttons(choices: Sequence[Choice]) -> bool:
    return (
        len(choices) <= BUTTONS_MAX
        and len({choice.title for choice in choices}) == len(choices)
        and all(
            len(choice.title) <= BUTTON_TITLE_MAX
            and len(choice.id) <= BUTTON_ID_MAX
            and not choice.description
            and not choice.section
            for choice in choices
        )
    )


def _fit_list(choices: Sequence[Choice]) -> bool:
    return len(choices) <= ROWS_MAX and all(
        len(choice.id) <= ROW_ID_MAX
        and (len(choice.title) <= ROW_TITLE_MAX or (not choice.description and len(choice.title) <= ROW_TEXT_MAX))
        for choice in choices
    )


def _button(choice: Choice) -> Content:
    return {"type": "reply", "reply": {"id": choice.id, "title": choice.title}}


def _list(offer: ChoicesOffered) -> Content:
    label = cut(offer.button or LIST_LABEL, BUTTON_TITLE_MAX)
    sections: dict[str, list[Content]] = {}
    for choice in offer.choices:
        sections.setdefault(choice.section or "", []).append(_row(choice))
    named = len(sections) > 1
    return {
        "button": label,
        "sections": [
            {**({"title": cut(title or label, SECTION_MAX)} if title or named else {}), "rows": rows}
            for title, rows in sections.items()
        ],
    }


def _row(choice: Choice) -> Content:
    title = cut(choice.title, ROW_TITLE_MAX)
    described = choice.description or (choice.title if title != choice.title else "")
    row = {"id": choice.id, "title": title}
    return {**row, "description": cut(described, ROW_TEXT_MAX)} if described else row


def _interactive(offer: ChoicesOffered, kind: str, action: Content, body_max: int) -> list[Content]:
    """Header and footer that are too long move into the text; text that is too long goes ahead of the question."""
    header = offer.header if offer.header and len(offer.header) <= HEADER_MAX else None
    footer = offer.footer if offer.footer and len(offer.footer) <= FOOTER_MAX else None
    plain = kind in ("location_request_message", "request_contact_info")
    if plain:
        header = footer = None
    above = offer.header if header is None else None
    below = [f"{offer.link.title}: {offer.link.url}"] if offer.link and kind != "cta_url" else []
    if footer is None and offer.footer:
        below.append(offer.footer)
    pieces = split("\n\n".join(filter(None, (above, offer.text, *below))), body_max)
    if not pieces:
        raise Refused("a question needs a text")
    interactive: Content = {"type": kind, "body": {"text": pieces[-1]}, "action": action}
    if header:
        interactive["header"] = {"type": "text", "text": header}
    if footer:
        interactive["footer"] = {"text": footer}
    ahead = [text(piece) for piece in pieces[:-1]]
    return [*ahead, {"type": "interactive", "interactive": interactive}]


def _numbered(offer: ChoicesOffered) -> str:
    lines = [
        f"{number}. {choice.title}" + (f" – {choice.description}" if choice.description else "")
        for number, choice in enumerate(offer.choices, 1)
    ]
    link = f"{offer.link.title}: {offer.link.url}" if offer.link else None
    return "\n\n".join(filter(None, (offer.header, offer.text, "\n".join(lines), link, offer.footer)))
