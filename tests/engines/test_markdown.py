from pathlib import Path

import pytest

from gateway.engines.base import Source
from gateway.engines.markdown import (
    MAX_FILE_BYTES,
    MAX_FILES,
    Keyword,
    Passage,
    Sentence,
    SourcesError,
    parse_document,
    read_folder,
    sentences_in,
)

HANDBOOK = """---
keywords: money back = refund, refunds; parcel
owner: shop
tags:
  - ignored: nested
---
# Returns

Intro line one
goes on. Second *sentence* with a [link](https://x.example/a).

<!-- not
said -->
## How long?

- One item. It has two sentences.
- **Bold** item
  that goes on

### In winter

| size | chest |
|------|-------|
| M    | 95 cm |

> Quoted words.

```
# no heading
```

## Empty
"""


def test_a_document_becomes_passages_of_sentences() -> None:
    document = parse_document(HANDBOOK, "a/returns.md")
    assert document.title == "Returns"
    assert document.keywords == (Keyword("money back", ("refund", "refunds")), Keyword("parcel", ()))
    assert document.settings["owner"] == "shop"
    assert document.passages == (
        Passage(
            Source("Returns", "a/returns.md", ""),
            (),
            (
                Sentence("Intro line one goes on.", "\n"),
                Sentence("Second sentence with a link (https://x.example/a).", " "),
            ),
        ),
        Passage(
            Source("Returns", "a/returns.md", "How long?"),
            (),
            (
                Sentence("One item.", "\n", item=True),
                Sentence("It has two sentences.", " ", item=True),
                Sentence("Bold item that goes on", "\n", item=True),
            ),
        ),
        Passage(
            Source("Returns", "a/returns.md", "In winter"),
            ("How long?",),
            (
                Sentence("size | chest", "\n", item=True),
                Sentence("M | 95 cm", "\n", item=True),
                Sentence("Quoted words.", "\n"),
                Sentence("# no heading", "\n", item=True),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("text", "title", "heading"),
    [
        ("---\ntitle: Named\n---\n# One\n\nText.", "Named", "One"),
        ("# One\n\nText.", "One", ""),
        ("## Two\n\nText.", "Some file", "Two"),
        ("Text.", "Some file", ""),
        ("\r\n# One #\r\n\r\nText.\r\n", "One", ""),
    ],
)
def test_the_title_is_named_or_the_first_heading_or_the_file(text: str, title: str, heading: str) -> None:
    document = parse_document(text, "some-file.md")
    assert [passage.source for passage in document.passages] == [Source(title, "some-file.md", heading)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?  Four", ["One.", "Two!", "Three?", "Four"]),
        ("It costs £3.95 a day. Fine.", ["It costs £3.95 a day.", "Fine."]),
        ("Boots, e.g. Scarfell, fit. Mr. Hill knows.", ["Boots, e.g. Scarfell, fit.", "Mr. Hill knows."]),
        ('He said "Stop." Then he went.', ['He said "Stop."', "Then he went."]),
        ("Write to a@b.example or wait... and see.", ["Write to a@b.example or wait... and see."]),
        ("退货需要七天。请联系我们。", ["退货需要七天。", "请联系我们。"]),
        ("", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert list(sentences_in(text)) == sentences


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no Markdown file"),
        ({"a.txt": b"text", ".hidden.md": b"text"}, "holds no Markdown file"),
        ({"a.md": b"# Only a heading\n"}, "hold no text"),
        ({"a.md": b"\xff\xfe"}, r"a\.md: is not UTF-8"),
        ({"a.md": b"---\ntitle: x\n\nText."}, r"a\.md: its front matter is not closed"),
        ({"a.md": b"---\nkeywords: back =\n---\nText."}, r"a\.md: keywords: “back =”"),
        ({"a.md": b"x" * (MAX_FILE_BYTES + 1)}, r"a\.md: has 1048577 bytes"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SourcesError, match=message):
        read_folder(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="gone: there is no such folder"):
        read_folder(tmp_path / "gone")
    (tmp_path / "file.md").write_text("Text.")
    with pytest.raises(SourcesError, match="there is no such folder"):
        read_folder(tmp_path / "file.md")


def test_a_file_at_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"x" * MAX_FILE_BYTES)
    assert len(read_folder(tmp_path)) == 1


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.md").touch()
    with pytest.raises(SourcesError, match="the limit is 2000"):
        read_folder(tmp_path)


def test_folders_below_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.md").write_text("\ufeff# C\n\nText.", encoding="utf-8")
    (tmp_path / "a.md").write_text("Text.")
    assert [(document.file, document.title) for document in read_folder(tmp_path)] == [("a.md", "A"), ("b/c.md", "C")]
