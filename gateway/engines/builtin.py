"""The engine that needs no account and no network: it answers with sentences of a folder of Markdown, word for word.

    greeting, thanks, goodbye  ->  the sentence that the sources have for it
    a call for a person        ->  handoff
    anything else              ->  the best passage, when it is sure enough; else handoff

Rule: it says nothing that does not stand in the sources, and names where it stands.
Rule: it is silent when it hands off; what the customer is told then is policy, not knowledge.
Rule: a message of several questions is answered only when each of them is.
Rule: small talk is recognised by lines of front matter that bear the name of a heading: in `greeting.md`, the line
`thanks: thank you, cheers` makes the passage "Thanks" the answer to these words.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gateway.engines.base import Finished, Piece, Source, Sure, Turn, Written
from gateway.engines.markdown import Document, Passage, Sentence, SourcesError, read_folder, sentences_in
from gateway.engines.retrieval import Index
from gateway.engines.words import STOP_WORDS, wants_person, words_of

SHIPPED_SOURCES = Path(__file__).parent.parent / "sources"
SMALL_TALK_FILE = "greeting.md"
MAX_PARTS = 4
INLINE_PASSAGES = 200
INLINE_CHARS = 200
"""Beyond either, a question may take over a millisecond: it is then answered off the event loop."""


class BuiltinConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sources: str | None = None
    """The sources of truth. Unset: the example that comes with the program."""
    min_confidence: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.7
    """Below it a human takes over."""
    question_max_chars: Annotated[int, Meta(ge=1)] = 2_000
    answer_max_sentences: Annotated[int, Meta(ge=1)] = 3


class _Reply(Struct, frozen=True):
    sentences: tuple[Sentence, ...] = ()
    sources: tuple[Source, ...] = ()
    confidence: float = 0.0
    handoff: str | None = None


class BuiltinEngine:
    """Raises SourcesError at its making when the folder cannot serve."""

    name = "builtin"

    def __init__(self, config: BuiltinConfig | None = None) -> None:
        self._config = config = config or BuiltinConfig()
        documents = read_folder(Path(config.sources).expanduser() if config.sources else SHIPPED_SOURCES)
        self._small_talk = _small_talk(documents)
        self._openings = _openings(self._small_talk)
        self._index = Index(document for document in documents if document.file != SMALL_TALK_FILE)
        if not len(self._index):
            raise SourcesError(f"{config.sources}: holds nothing but small talk ({SMALL_TALK_FILE})")

    async def answer(self, turn: Turn) -> AsyncGenerator[Written, None]:
        if len(self._index) > INLINE_PASSAGES or sum(map(len, turn.unanswered or (turn.question,))) > INLINE_CHARS:
            reply = await asyncio.to_thread(self._reply, turn)
        else:
            reply = self._reply(turn)
        if reply.handoff is None:
            yield Sure(reply.confidence)
        for place, sentence in enumerate(reply.sentences):
            yield Piece((sentence.lead if place else "") + sentence.text)
        yield Finished(confidence=reply.confidence, sources=reply.sources, handoff=reply.handoff)

    def _reply(self, turn: Turn) -> _Reply:
        reply = self._to(turn.question)
        if reply.handoff is None or len(turn.unanswered) < 2:
            return reply
        together = self._to("\n".join(turn.unanswered))
        return reply if together.handoff else together

    def _to(self, text: str) -> _Reply:
        if len(text) > self._config.question_max_chars:
            return _Reply(handoff=f"the question is longer than {self._config.question_max_chars} characters")
        words = words_of(text)
        if not words:
            return _Reply(handoff="there are no words to answer")
        if wants_person(words):
            return _Reply(handoff="the customer asked for a person")
        talk, rest = self._without_small_talk(words)
        if talk and STOP_WORDS.issuperset(rest):
            return _Reply(talk.sentences, (talk.source,), 1.0)
        return self._to_several(text) or self._to_question(rest)

    def _to_question(self, words: list[str]) -> _Reply:
        found = self._index.find(" ".join(words), self._config.answer_max_sentences)
        if found is None:
            return _Reply(handoff="the sources say nothing about it")
        if found.confidence < self._config.min_confidence:
            sure = f"{found.confidence:.2f} of {self._config.min_confidence:.2f}"
            return _Reply(confidence=found.confidence, handoff=f"the sources do not surely answer it ({sure})")
        return _Reply(found.sentences, (found.passage.source,), found.confidence)

    def _to_several(self, text: str) -> _Reply | None:
        """One answer to a message of several questions; None when it is not one, or when any of them is unsure."""
        asked = [self._without_small_talk(words_of(part))[1] for part in sentences_in(text)]
        parts = [words for words in asked if not STOP_WORDS.issuperset(words)]
        if not 2 <= len(parts) <= MAX_PARTS:
            return None
        replies = {reply.sources: reply for reply in map(self._to_question, parts)}
        if any(reply.handoff for reply in replies.values()):
            return None
        return _joined(list(replies.values()))

    def _without_small_talk(self, words: list[str]) -> tuple[Passage | None, list[str]]:
        """The words that are left, and the passage that answers the last piece of small talk among them."""
        talk, rest, place = None, [], 0
        while place < len(words):
            longest = min(self._openings.get(words[place], 0), len(words) - place)
            for size in range(longest, 0, -1):
                if passage := self._small_talk.get(tuple(words[place : place + size])):
                    talk, place = passage, place + size
                    break
            else:
                rest.append(words[place])
                place += 1
        return talk, rest


def _small_talk(documents: Iterable[Document]) -> dict[tuple[str, ...], Passage]:
    """From the words of a phrase to the passage that answers it."""
    return {
        tuple(words_of(phrase)): passage
        for document in documents
        if document.file == SMALL_TALK_FILE
        for passage in document.passages
        for phrase in document.settings.get(passage.source.heading.lower(), "").split(",")
        if words_of(phrase)
    }


def _openings(phrases: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """From the first word of a phrase to the length of the longest phrase that it opens."""
    openings: dict[str, int] = {}
    for phrase in phrases:
        openings[phrase[0]] = max(openings.get(phrase[0], 0), len(phrase))
    return openings


def _joined(replies: list[_Reply]) -> _Reply:
    return _Reply(
        tuple(
            msgspec.structs.replace(sentence, lead=sentence.lead if place else "\n")
            for reply in replies
            for place, sentence in enumerate(reply.sentences)
        ),
        tuple(source for reply in replies for source in reply.sources),
        min(reply.confidence for reply in replies),
    )
