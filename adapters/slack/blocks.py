"""Questions with choices: buttons, a menu, or a numbered text, each within Slack's limits.

Rule: a choice is never left out and its id never cut; where it fits no button it becomes a line of a menu, and where it
does not fit there either, the question becomes a numbered text. A title that is cut stands whole in the text.
See https://docs.slack.dev/reference/block-kit
"""

from collections.abc import Sequence
from typing import Any

from adapters.base import Refused
from adapters.slack.actions import OPEN_LINK
from adapters.slack.mrkdwn import encode
from normalizer.envelope import Choice, ChoicesOffered
from normalizer.text import cut, split

TEXT_MAX = 4000
"""Characters, like all limits here. Slack takes 40,000 and recommends no more than this."""
SECTION_MAX = 3000
HEADER_MAX = 150
FOOTER_MAX = 2000
BUTTONS_MAX = 5
BUTTON_TITLE_MAX = 75
BUTTON_VALUE_MAX = 2000
OPTIONS_MAX = 100
OPTION_TEXT_MAX = 75
OPTION_VALUE_MAX = 150
URL_MAX = 3000
MENU_LABEL = "☰"
"""Opens a menu that names no label of its own; in no language."""

Content = dict[str, Any]


def texts(body: str) -> list[Content]:
    return [{"text": encode(piece)} for piece in split(body, TEXT_MAX)]


def offered(offer: ChoicesOffered) -> list[Content]:
    """The messages that ask this; the last one holds the answers."""
    _check(offer.choices)
    link = offer.link if offer.link and len(offer.link.url) <= URL_MAX else None
    elements = _elements(offer)
    if elements is None or (not elements and link is None):
        return texts(_numbered(offer))
    if link:
        elements = [*elements, _link_button(link.title, link.url)]
    pieces = _fitting(_question(offer, shown_link=link is not None), SECTION_MAX)
    if not pieces:
        raise Refused("a question needs a text")
    blocks = [{"type": "section", "text": _marked(pieces[-1])}, {"type": "actions", "elements": elements}]
    if offer.header and len(offer.header) <= HEADER_MAX:
        blocks.insert(0, {"type": "header", "text": _plain(offer.header)})
    if offer.footer and len(encode(offer.footer)) <= FOOTER_MAX:
        blocks.append({"type": "context", "elements": [_marked(offer.footer)]})
    ahead = [{"text": encode(piece)} for piece in pieces[:-1]]
    return [*ahead, {"text": encode(cut(_numbered(offer), TEXT_MAX)), "blocks": blocks}]


def _fitting(text: str, limit: int) -> list[str]:
    """Pieces that fit when they are escaped, which makes up to five characters of one."""
    pieces = split(text, limit)
    return pieces if all(len(encode(piece)) <= limit for piece in pieces) else split(text, limit // 5)


def _check(choices: Sequence[Choice]) -> None:
    ids = [choice.id for choice in choices]
    if not all(ids) or not all(choice.title.strip() for choice in choices):
        raise Refused("a choice needs an id and a title")
    if len(set(ids)) < len(ids):
        raise Refused("two choices have the same id")


def _question(offer: ChoicesOffered, *, shown_link: bool) -> str:
    """Header and footer that are too long for their blocks are part of the text, and so are titles that are cut."""
    header = offer.header if offer.header and len(offer.header) > HEADER_MAX else None
    footer = offer.footer if offer.footer and len(encode(offer.footer)) > FOOTER_MAX else None
    long = [f"• {choice.title}" for choice in offer.choices if len(choice.title) > OPTION_TEXT_MAX]
    link = f"{offer.link.title}: {offer.link.url}" if offer.link and not shown_link else None
    return "\n\n".join(filter(None, (header, offer.text, "\n".join(long), link, footer)))


def _elements(offer: ChoicesOffered) -> list[Content] | None:
    """None: they fit nowhere."""
    choices = offer.choices
    if not choices:
        return []
    if _fit_buttons(choices):
        return [_button(choice, number) for number, choice in enumerate(choices, 1)]
    if len(choices) <= OPTIONS_MAX and all(len(choice.id) <= OPTION_VALUE_MAX for choice in choices):
        return [_menu(offer)]
    return None


def _fit_buttons(choices: Sequence[Choice]) -> bool:
    return len(choices) <= BUTTONS_MAX and all(
        len(choice.title) <= BUTTON_TITLE_MAX
        and len(choice.id) <= BUTTON_VALUE_MAX
        and not choice.description
        and not choice.section
        for choice in choices
    )


def _button(choice: Choice, number: int) -> Content:
    return {"type": "button", "action_id": f"choice_{number}", "text": _plain(choice.title), "value": choice.id}


def _link_button(title: str, url: str) -> Content:
    return {"type": "button", "action_id": OPEN_LINK, "text": _plain(cut(title, BUTTON_TITLE_MAX)), "url": url}


def _menu(offer: ChoicesOffered) -> Content:
    label = cut(offer.button or MENU_LABEL, OPTION_TEXT_MAX)
    menu: Content = {"type": "static_select", "action_id": "choice", "placeholder": _plain(label)}
    groups: dict[str, list[Content]] = {}
    for choice in offer.choices:
        groups.setdefault(choice.section or "", []).append(_option(choice))
    if len(groups) == 1:
        return {**menu, "options": next(iter(groups.values()))}
    named = [
        {"label": _plain(cut(title or label, OPTION_TEXT_MAX)), "options": options} for title, options in groups.items()
    ]
    return {**menu, "option_groups": named}


def _option(choice: Choice) -> Content:
    option: Content = {"text": _plain(cut(choice.title, OPTION_TEXT_MAX)), "value": choice.id}
    if choice.description:
        option["description"] = _plain(cut(choice.description, OPTION_TEXT_MAX))
    return option


def _plain(text: str) -> Content:
    return {"type": "plain_text", "text": text}


def _marked(text: str) -> Content:
    return {"type": "mrkdwn", "text": encode(text)}


def _numbered(offer: ChoicesOffered) -> str:
    """Also what notifications and screen readers show of a question with buttons."""
    lines = [
        f"{number}. {choice.title}" + (f" – {choice.description}" if choice.description else "")
        for number, choice in enumerate(offer.choices, 1)
    ]
    link = f"{offer.link.title}: {offer.link.url}" if offer.link else None
    return "\n\n".join(filter(None, (offer.header, offer.text, "\n".join(lines), link, offer.footer)))
