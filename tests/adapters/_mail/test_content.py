"""adapters/_mail/content.py: every kind of part in a mail."""

from typing import Any

import pytest

from adapters._mail.content import as_html, clean, content_of
from adapters.base import Attachment, MediaFailed, Refused, TemplateRefused
from normalizer.envelope import Message
from tests.adapters._mail.outbound import STORED, message


def blocks(*parts: Any) -> tuple[str, ...]:
    body = message(*parts).body
    assert isinstance(body, Message)
    return content_of(body.parts).blocks


def files(*parts: Any) -> tuple[Attachment, ...]:
    body = message(*parts).body
    assert isinstance(body, Message)
    return content_of(body.parts).files


def media(kind: str, more: dict[str, Any] | None = None, **facts: str) -> dict[str, Any]:
    return {"type": kind, "media": {"stored": STORED, **facts}, **(more or {})}


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("Hello\r\nyou\x00\x07", "Hello\nyou"),
        ({"type": "location", "latitude": 1.5, "longitude": -2.5, "name": "Shop", "address": "Main St 1"},
         "Shop\nMain St 1\nhttps://www.openstreetmap.org/?mlat=1.5&mlon=-2.5#map=17/1.5/-2.5"),
        ({"type": "location", "latitude": 1.5, "longitude": -2.5, "url": "https://x.example/"}, "https://x.example/"),
        ({"type": "contact_card", "name": "Ann", "organization": "Shop", "phones": ["+49301"],
          "emails": ["a@b.example"]},
         "Ann\nShop\n+49301\na@b.example"),
        ({"type": "choices_offered", "header": "Colours", "text": "Which?", "footer": "Thanks", "choices": [
            {"id": "a", "title": "Red", "description": "warm"}, {"id": "b", "title": "Blue"}]},
         "Colours\nWhich?\n\n1. Red - warm\n2. Blue\n\nThanks"),
        ({"type": "choices_offered", "text": "Which?", "choices": [
            {"id": "a", "title": "Tea", "section": "Hot"}, {"id": "b", "title": "Milk", "section": "Hot"},
            {"id": "c", "title": "Juice", "section": "Cold"}]},
         "Which?\n\nHot\n1. Tea\n2. Milk\nCold\n3. Juice"),
        ({"type": "choices_offered", "text": "Pay", "link": {"title": "Here", "url": "https://x.example/p"}},
         "Pay\nHere: https://x.example/p"),
        (media("image", {"caption": "The label"}), "The label"),
        (media("document", {"caption": "Invoice"}), "Invoice"),
    ],
)  # fmt: skip
def test_in_words(part: Any, text: str) -> None:
    assert blocks(part) == (text,)


@pytest.mark.parametrize(
    ("part", "name", "mime"),
    [
        (media("image", filename="a.png", sniffed="image/png"), "a.png", "image/png"),
        (media("image", sniffed="image/webp"), "image.webp", "image/webp"),
        (media("audio", mime="audio/mpeg"), "audio.mp3", "audio/mpeg"),
        (media("voice", mime="audio/ogg; codecs=opus"), "voice.ogg", "audio/ogg"),
        (media("video", mime="video/mp4"), "video.mp4", "video/mp4"),
        (media("sticker", sniffed="image/webp"), "sticker.webp", "image/webp"),
        (media("document"), "document", "application/octet-stream"),
        (media("document", filename="../../etc/pass\nwd", mime="text/plain"), ".._.._etc_pass wd", "text/plain"),
        (media("image", filename="a.png", mime="text/html", sniffed="image/png"), "a.png", "image/png"),
    ],
)
def test_files(part: Any, name: str, mime: str) -> None:
    assert files(part) == (Attachment(stored=STORED, filename=name, mime=mime),)


def test_all_in_their_order() -> None:
    parts = ("One", media("image", {"caption": "Two"}, filename="a.png"), "Three", media("document", filename="b.pdf"))
    assert blocks(*parts) == ("One", "Two", "Three")
    assert [one.filename for one in files(*parts)] == ["a.png", "b.pdf"]


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("", Refused),
        (" \n\x00", Refused),
        ({"type": "choice_made", "id": "a", "title": "Red"}, Refused),
        ({"type": "order", "items": []}, Refused),
        ({"type": "template", "name": "a", "language": "de"}, TemplateRefused),
        ({"type": "image", "media": {"external_id": "7"}}, MediaFailed),
    ],
)
def test_what_can_not_be_sent(part: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        blocks(part)


@pytest.mark.parametrize(
    ("text", "left"), [("a\r\nb\rc", "a\nb\nc"), ("\ud800x", "\ufffdx"), ("a\tb\x0bc\x85d", "a\tbcd")]
)
def test_clean(text: str, left: str) -> None:
    assert clean(text) == left


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a\nb\n\n\nc", "<p>a<br>\nb</p>\n<p>c</p>"),
        ("<script>&\"'", "<p>&lt;script&gt;&amp;&quot;&#x27;</p>"),
        ("see http://x.example/a).", '<p>see <a href="http://x.example/a">http://x.example/a</a>).</p>'),
        (
            'http://x.example/"onclick="x',
            '<p><a href="http://x.example/">http://x.example/</a>&quot;onclick=&quot;x</p>',
        ),
        ("javascript:alert(1)", "<p>javascript:alert(1)</p>"),
        ("xhttps://x.example", '<p>x<a href="https://x.example">https://x.example</a></p>'),
    ],
)
def test_html(text: str, html: str) -> None:
    assert as_html([text]) == f"<!DOCTYPE html>\n<html><body>\n{html}\n</body></html>\n"
