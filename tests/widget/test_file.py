"""What can be said of the widget without a browser."""

import gzip
import re

import pytest

from tests.widget.peer import WIDGET

SOURCE = WIDGET.read_text(encoding="utf-8")


def test_weighs_less_than_20_kb_on_the_wire() -> None:
    assert len(gzip.compress(SOURCE.encode(), compresslevel=6, mtime=0)) < 20_000


@pytest.mark.parametrize(
    "sink",
    [
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "createContextualFragment",
        "setHTML", "srcdoc", "eval(", "new Function", "import(", ".cssText", 'setAttribute("style', "javascript:",
    ],
)  # fmt: skip
def test_has_no_way_to_turn_text_into_anything_else(sink: str) -> None:
    assert sink not in SOURCE


def test_loads_nothing_from_elsewhere() -> None:
    hosts = set(re.findall(r"https?://([\w.-]+)", SOURCE))
    assert hosts == {"chat.example", "www.w3.org"}  # the usage line, and the name of SVG


def test_every_text_stands_in_every_language() -> None:
    table = SOURCE[SOURCE.index("const WORDS = {") : SOURCE.index("// --- small tools")]
    languages = re.findall(r'"(\w\w)"', SOURCE[SOURCE.index("const LANGUAGES") :].splitlines()[0])
    rows = re.findall(r"(\w+): \[(.*?)\],\n", table, flags=re.DOTALL)
    used = set(re.findall(r'say\("(\w+)"', SOURCE))
    assert len(languages) >= 4
    assert used <= {name for name, _ in rows}
    for name, row in rows:
        texts = re.findall(r'"((?:[^"\\]|\\.)+)"', row)
        assert len(texts) == len(languages), name
        assert len({text.count("{}") for text in texts}) == 1, name
