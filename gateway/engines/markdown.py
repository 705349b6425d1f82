"""Reads a folder of Markdown, the "sources of truth", into passages: a heading and the sentences below it.

A file may begin with front matter, lines of `name: value` between two lines of `---`. `title` names the document (else
its first heading of level one, else its file name). `keywords` brings in the words that customers use, separated by
semicolons: `money back = refund, refunds` holds wherever the file says one of the words on the right; an entry without
`=` holds for the whole file.

Rule: sentences stand as they were written, except that line breaks become spaces and inline markup goes.
Rule: nothing is skipped: list items, rows of tables and lines of code are sentences of their own.
Rule: whatever is wrong with the folder is said at the start, with the file's name.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from gateway.engines.base import EngineMisconfigured, Source

MAX_FILES = 2_000
MAX_FILE_BYTES = 1_048_576

_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+(.*)")
_TABLE_RULE = re.compile(r"[|\s:-]*-[|\s:-]*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\(([^)\s]*)[^)\n]*\)")
_MARKS = re.compile(r"(\*\*|__|\*|`)(?=\S)([^*`\n]*?\S)\1(?!\w)")
_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[。！？]+[”’」』）]*\s*")
_ABBREVIATION = re.compile(
    r"(?<![^\s(])(?:[a-zA-Z]|e\.g|i\.e|etc|approx|no|nr|mr|mrs|ms|dr|st|vs|incl|excl|max|min)\.$", re.IGNORECASE
)


class SourcesError(EngineMisconfigured):
    """The folder cannot serve as sources; the text says which file and why."""


class Sentence(Struct, frozen=True):
    text: str
    lead: str
    """The white space that parts it from the sentence before."""
    item: bool = False
    """Stands for itself: an item of a list, a row of a table."""


class Passage(Struct, frozen=True):
    source: Source
    above: tuple[str, ...]
    """The headings over its own one, without the title."""
    sentences: tuple[Sentence, ...]


class Keyword(Struct, frozen=True):
    said: str
    means: tuple[str, ...]
    """Empty: the whole file."""


class Document(Struct, frozen=True):
    file: str
    title: str
    keywords: tuple[Keyword, ...]
    settings: dict[str, str]
    passages: tuple[Passage, ...]


def read_folder(folder: Path) -> tuple[Document, ...]:
    if not folder.is_dir():
        raise SourcesError(f"{folder}: there is no such folder of sources")
    files = sorted(path for path in folder.rglob("*.md") if path.is_file() and not _hidden(path.relative_to(folder)))
    if not files:
        raise SourcesError(f"{folder}: holds no Markdown file (*.md)")
    if len(files) > MAX_FILES:
        raise SourcesError(f"{folder}: holds {len(files)} Markdown files; the limit is {MAX_FILES}")
    documents = tuple(read_document(path, path.relative_to(folder).as_posix()) for path in files)
    if not any(document.passages for document in documents):
        raise SourcesError(f"{folder}: its Markdown files hold no text")
    return documents


def read_document(path: Path, name: str) -> Document:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise SourcesError(f"{name}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SourcesError(f"{name}: is not UTF-8 (byte {error.start})") from error
    if len(data) > MAX_FILE_BYTES:
        raise SourcesError(f"{name}: has {len(data)} bytes; the limit is {MAX_FILE_BYTES}")
    return parse_document(text.replace("\x00", ""), name)


def parse_document(text: str, name: str) -> Document:
    settings, body = _front_matter(text.replace("\r\n", "\n"), name)
    sections = list(_sections(_COMMENT.sub("", body)))
    top = next((section.top for section in sections if section.top), "")
    title = settings.get("title") or top or Path(name).stem.replace("-", " ").replace("_", " ").capitalize()
    passages = tuple(_passages(sections, title, name))
    return Document(name, title, _keywords(settings.get("keywords", ""), name), settings, passages)


def sentences_in(text: str) -> Iterator[str]:
    """Text cut after full stops, question and exclamation marks; each sentence as it stands."""
    start = 0
    for end in _END.finditer(text):
        following = text[end.end() : end.end() + 1]
        if following.islower() or _ABBREVIATION.search(text, max(start, end.start() - 10), end.start() + 1):
            continue
        yield text[start : end.end()].strip()
        start = end.end()
    if rest := text[start:].strip():
        yield rest


# --- front matter -------------------------------------------------------------------------------------------------


def _front_matter(text: str, name: str) -> tuple[dict[str, str], str]:
    if not text.startswith("---\n"):
        return {}, text
    head, closed, body = text[4:].partition("\n---\n")
    if not closed:
        raise SourcesError(f"{name}: its front matter is not closed with a line of ---")
    pairs = (line.partition(":") for line in head.split("\n") if line[:1].strip())
    return {key.strip().lower(): value.strip() for key, colon, value in pairs if colon}, body


def _keywords(value: str, name: str) -> tuple[Keyword, ...]:
    return tuple(_keyword(entry, name) for entry in value.split(";") if entry.strip())


def _keyword(entry: str, name: str) -> Keyword:
    said, equals, means = (part.strip() for part in entry.partition("="))
    meanings = tuple(filter(None, map(str.strip, means.split(","))))
    if not said or (equals and not meanings):
        raise SourcesError(f"{name}: keywords: “{entry.strip()}” needs words on both sides of =")
    return Keyword(said, meanings)


# --- body ---------------------------------------------------------------------------------------------------------


class _Section:
    """Lines under one heading, gathered into blocks; `levels` are the headings from the top down to its own."""

    def __init__(self, levels: dict[int, str]) -> None:
        self.top = levels.get(1, "")
        self.path = tuple(levels.values())
        self.blocks: list[tuple[list[str], bool]] = []
        self.open = False

    def add(self, line: str, *, item: bool = False, starts: bool = False) -> None:
        if starts or not self.open:
            self.blocks.append(([], item))
        self.blocks[-1][0].append(line)
        self.open = True


def _sections(body: str) -> Iterator[_Section]:
    levels: dict[int, str] = {}
    section, fenced = _Section(levels), False
    for line in body.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced, section.open = not fenced, False
        elif heading := None if fenced else _HEADING.match(line):
            yield section
            depth = len(heading[1])
            levels = {level: text for level, text in levels.items() if level < depth} | {depth: _plain(heading[2])}
            section = _Section(levels)
        else:
            _add_line(section, line, fenced=fenced)
    yield section


def _add_line(section: _Section, line: str, *, fenced: bool) -> None:
    stripped = line.strip().lstrip(">").strip()
    if not stripped or (not fenced and _TABLE_RULE.match(stripped)):
        section.open = False
    elif fenced or stripped.startswith("|"):
        section.add(stripped.strip("|").strip(), item=True, starts=True)
    elif item := _ITEM.match(line):
        section.add(item[1], item=True, starts=True)
    else:
        section.add(stripped)


def _passages(sections: list[_Section], title: str, name: str) -> Iterator[Passage]:
    for section in sections:
        path = section.path[1:] if section.path[:1] == (title,) else section.path
        sentences = tuple(_sentences(section))
        if sentences:
            yield Passage(Source(title, name, path[-1] if path else ""), path[:-1], sentences)


def _sentences(section: _Section) -> Iterator[Sentence]:
    for lines, item in section.blocks:
        for place, text in enumerate(sentences_in(_plain(" ".join(lines)))):
            yield Sentence(text, " " if place else "\n", item)


def _plain(text: str) -> str:
    """Without inline markup; a link keeps its address."""
    text = _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if link[2] else link[1], text)
    return " ".join(_MARKS.sub(r"\2", text).split())


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
