"""The page and its files."""

from __future__ import annotations

import re

import pytest

from gateway.sandbox.page import FILES, FOLDER
from tests.sandbox.demo import Demo

SOURCES = sorted(FOLDER.iterdir())


@pytest.mark.parametrize("path", ["/", "/sandbox/"])
async def test_what_people_type_leads_to_the_page(running: Demo, path: str) -> None:
    async with running.session.get(running.url + path) as answer:
        assert (answer.status, answer.url.path, answer.content_type) == (200, "/sandbox", "text/html")


async def test_every_file_that_is_named_is_served_and_nothing_else(running: Demo) -> None:
    named = {
        name for file in SOURCES for name in re.findall(r'(?:/sandbox/static/|from "\./)([\w.]+)', file.read_text())
    }
    assert named == set(FILES)
    assert {file.name for file in SOURCES} == {*FILES, "index.html", "shop.html"}
    for name, mime in FILES.items():
        async with running.session.get(f"{running.url}/sandbox/static/{name}") as answer:
            assert (answer.status, answer.content_type) == (200, mime)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for name in ("index.html", "..%2fpage.py", "%2e%2e%2fpage.py", "none.js"):
        async with running.session.get(f"{running.url}/sandbox/static/{name}") as answer:
            assert answer.status == 404


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.name))
def test_nothing_comes_from_elsewhere_and_no_text_becomes_html(file: object) -> None:
    text = (FOLDER / str(getattr(file, "name", ""))).read_text()
    links = [url for url in re.findall(r"https?://[\w.:/-]+", text) if not url.startswith("http://www.w3.org/")]
    assert links == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|@import", text) == []
