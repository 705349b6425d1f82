"""What goes out is within the documented limits; what is not is refused."""

import json
from typing import Any

import pytest

from adapters.whatsapp.simulator_rules import check
from adapters.whatsapp.simulator_world import Refusal, Template
from tests.adapters.whatsapp.simulated import exchange, meta, opened, outcome
from tests.kit.cases import NOW


def test_templates() -> None:
    """A known one goes at any time; unknown, paused and ill-filled ones do not."""
    simulated, customer = opened()
    customer.windows.clear()
    simulated.world.templates += [Template("order", "en", 1), Template("old", "en", paused=True)]

    def template(name: str, *words: str) -> dict[str, Any]:
        filled = [{"type": "body", "parameters": [{"type": "text", "text": word} for word in words]}]
        return {
            "kind": "message",
            "parts": [{"type": "template", "name": name, "language": "en", "components": filled}],
        }

    assert outcome(simulated, template("order", "A1")) == ("sent", None)
    assert outcome(simulated, template("order")) == ("TemplateRefused", "132000")
    assert outcome(simulated, template("other")) == ("TemplateRefused", "132001")
    assert outcome(simulated, template("old")) == ("TemplateRefused", "132015")


def offer(*choices: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    return [{"type": "choices_offered", "text": "?", "choices": list(choices), **more}]


A, B = {"id": "a", "title": "A"}, {"id": "b", "title": "B"}
LONG = [{"id": str(number), "title": f"{number}" + "T" * 60} for number in range(30)]
SECTIONS = [{"id": str(n), "title": str(n), "section": "s" * 40 * (n % 2)} for n in range(6)]
ASKED: dict[str, list[dict[str, Any]]] = {
    "a long text": [{"type": "text", "text": "a" * 9000}],
    "an upload": [{"type": "image", "media": {"stored": "ab" * 32, "mime": "image/png"}}],
    "a place": [{"type": "location", "latitude": 1.0, "longitude": 2.0}],
    "a card": [{"type": "contact_card", "name": "Al", "phones": ["+1650"]}],
    "buttons": offer(A, B),
    "buttons below a long text": offer(A, B, text="?" * 5000),
    "long rows": offer(*LONG[:10]),
    "too many rows": offer(*LONG),
    "a long header and footer": offer(A, header="h" * 90, footer="f" * 90),
    "long and missing titles of sections": offer(*SECTIONS),
    "a long label of a list": offer(*SECTIONS, button="b" * 50),
    "a long label of a link": offer(link={"title": "L" * 40, "url": "https://example.org"}),
    "choices and a link": offer(A, link={"title": "L", "url": "https://example.org"}),
    "a request for the place": offer(request="location"),
    "a request for the number": offer(request="contact"),
    "a long request": offer(request="contact", text="?" * 1500, header="h", footer="f"),
}


@pytest.mark.parametrize("parts", ASKED.values(), ids=ASKED)
def test_what_the_adapter_sends_is_what_the_provider_takes(parts: list[dict[str, Any]]) -> None:
    """Whatever is asked for, nothing that goes out is over a limit."""
    simulated, customer = opened()
    driven = exchange(simulated, {"kind": "message", "parts": parts})
    assert driven.error is None
    assert driven.value
    assert len(simulated.shown(customer)) == len(driven.value)


def buttons(*titles: str, body: str = "?") -> dict[str, Any]:
    taps = [{"type": "reply", "reply": {"id": title, "title": title}} for title in titles]
    return {
        "type": "interactive",
        "interactive": {"type": "button", "body": {"text": body}, "action": {"buttons": taps}},
    }


def rows(count: int, title: str = "A") -> dict[str, Any]:
    section = {"rows": [{"id": str(number), "title": title} for number in range(count)]}
    action = {"button": "Choose", "sections": [section]}
    return {"type": "interactive", "interactive": {"type": "list", "body": {"text": "?"}, "action": action}}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"type": "text", "text": {"body": "a" * 4097}}, 100),
        ({"type": "text", "text": {"body": " "}}, 131008),
        ({"type": "text"}, 131008),
        ({"type": "hologram", "hologram": {}}, 131051),
        ({"type": "image", "image": {"id": "unknown"}}, 131053),
        ({"type": "image", "image": {"id": "1", "link": "https://example.org"}}, 100),
        ({"type": "image", "image": {"link": "file:///etc/passwd"}}, 131009),
        ({"type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Al"}}]}, 131008),
        (buttons("A", "B", "C", "D"), 131009),
        (buttons("A", "A"), 131009),
        (buttons("A" * 21), 131009),
        (buttons("A", body="?" * 1025), 131009),
        (rows(11), 131009),
        (rows(1, "A" * 25), 131009),
        ({**buttons("A"), "biz_opaque_callback_data": "k" * 513}, 131009),
    ],
)
def test_what_is_over_a_limit_is_refused(payload: dict[str, Any], code: int) -> None:
    """One past each limit, with the documented code."""
    with pytest.raises(Refusal) as refused:
        check(meta().world, payload, NOW)
    assert json.loads(refused.value.reply.body)["error"]["code"] == code
