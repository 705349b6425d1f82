import asyncio
import re
import threading
from functools import cache
from pathlib import Path

import msgspec
import pytest

from gateway.engines import builtin
from gateway.engines.base import Answer, Engine, Finished, Piece, Source, Sure, Turn, collect
from gateway.engines.builtin import SHIPPED_SOURCES, BuiltinConfig, BuiltinEngine
from gateway.engines.markdown import SourcesError
from tests.engines.questions import ANSWERED, INJECTIONS, OTHER_LANGUAGES, PERSON, UNANSWERED, Answered
from tests.engines.turns import Said, turn

SMALL_TALK = (
    ("Hi!", "Greeting"),
    ("good morning", "Greeting"),
    ("Hello, can you help me please?", "Greeting"),
    ("Thank you so much", "Thanks"),
    ("ok thx", "Thanks"),
    ("Great, thanks, bye!", "Goodbye"),
)
ODD = ("", "   ", "👍", "🤷🏽‍♀️🔥", "?", "...", "\n\n", "returns " * 1_250, "why " * 2_500, "ж" * 10_000, "a" * 10_000)


@cache
def shipped() -> BuiltinEngine:
    return BuiltinEngine()


async def ask(*texts: str | Said) -> Answer:
    return await collect(shipped(), turn(*texts))


def folder_of(path: Path, **files: str) -> BuiltinEngine:
    for name, text in files.items():
        (path / f"{name}.md").write_text(text, encoding="utf-8")
    return BuiltinEngine(BuiltinConfig(sources=str(path)))


def test_it_is_an_engine() -> None:
    engine: Engine = shipped()
    assert engine.name == "builtin"


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.question)
async def test_the_shipped_sources_answer(case: Answered) -> None:
    answer = await ask(case.question)
    assert answer.handoff is None
    assert answer.sources[0].file == case.file
    assert case.fact in answer.text
    assert answer.confidence >= 0.7


@pytest.mark.parametrize("question", UNANSWERED)
async def test_what_the_sources_do_not_answer_is_handed_off(question: str) -> None:
    answer = await ask(question)
    assert answer.handoff
    assert (answer.text, answer.sources) == ("", ())
    assert answer.confidence < 0.7


@pytest.mark.parametrize("question", OTHER_LANGUAGES)
async def test_other_languages_are_handed_off(question: str) -> None:
    assert (await ask(question)).handoff


@pytest.mark.parametrize("text", PERSON)
async def test_who_asks_for_a_person_gets_one(text: str) -> None:
    assert await ask(text) == Answer(text="", confidence=0.0, handoff="the customer asked for a person")


@pytest.mark.parametrize(("text", "heading"), SMALL_TALK)
async def test_small_talk_is_answered_from_the_sources(text: str, heading: str) -> None:
    answer = await ask(text)
    assert (answer.handoff, answer.confidence) == (None, 1.0)
    assert answer.sources == (Source("Small talk", "greeting.md", heading),)


@pytest.mark.parametrize("text", ODD)
async def test_odd_text_is_handed_off(text: str) -> None:
    answer = await ask(text)
    assert answer.handoff
    assert answer.text == ""


async def test_a_turn_without_words_of_the_customer_is_handed_off() -> None:
    assert (await ask()).handoff == (await ask(("agent", "returns"))).handoff == "there are no words to answer"


async def test_it_says_how_sure_it_is_before_it_speaks() -> None:
    events = [event async for event in shipped().answer(turn("How long do I have to return something?"))]
    assert isinstance(events[0], Sure)
    assert isinstance(events[-1], Finished)
    assert events[0].confidence == events[-1].confidence
    assert not any([isinstance(event, Sure) async for event in shipped().answer(turn("I want a person"))])


async def test_every_sentence_stands_in_the_source_that_is_named() -> None:
    """Also for injections and odd text: whatever it says, it says word for word from the file that it names."""
    questions = [case.question for case in ANSWERED]
    asked = [*questions, *UNANSWERED, *OTHER_LANGUAGES, *INJECTIONS, *PERSON, *ODD, *(text for text, _ in SMALL_TALK)]
    written = {path.name: _flat(path.read_text(encoding="utf-8")) for path in SHIPPED_SOURCES.glob("*.md")}
    said = 0
    for question in asked:
        events = [event async for event in shipped().answer(turn(question)) if not isinstance(event, Sure)]
        *pieces, finished = events
        assert isinstance(finished, Finished)
        allowed = [written[source.file] for source in finished.sources]
        assert all(isinstance(piece, Piece) and any(_flat(piece.text) in text for text in allowed) for piece in pieces)
        assert bool(pieces) == bool(finished.sources) == (finished.handoff is None)
        said += len(pieces)
    assert said > len(ANSWERED)


async def test_the_source_is_named_as_a_person_would() -> None:
    answer = await ask("How long do I have to return something?")
    assert str(answer.sources[0]) == "Returns, “How long do I have to return something?”"


async def test_several_questions_get_one_answer_of_all() -> None:
    answer = await ask("Hi! How long is the warranty? And how do I delete my account?")
    assert [source.file for source in answer.sources] == ["warranty.md", "account.md"]
    assert "5 years" in answer.text
    assert "\nChoose “Delete" in answer.text.replace('"Delete', "“Delete")


async def test_one_unsure_question_of_several_hands_all_off() -> None:
    assert (await ask("How long is the warranty? And how much is the giraffe?")).handoff


async def test_a_story_before_the_question_counts() -> None:
    assert (await ask("I bought a car from you. Can I return it?")).handoff


async def test_what_was_written_before_helps_when_the_last_words_do_not() -> None:
    assert (await ask("without a printer?")).handoff
    answer = await ask("How do I return an item", "without a printer?")
    assert "show the code on your phone" in answer.text
    assert (await ask("How do I return an item", ("ai", "…"), "without a printer?")).handoff


async def test_the_confidence_that_is_enough_is_a_setting(tmp_path: Path) -> None:
    folder_of(tmp_path, pool="# Pool\n\n## Is the water warm?\n\nThe water has 28 degrees.")
    question = turn("Is the water in the sauna warm?")
    strict = BuiltinEngine(BuiltinConfig(sources=str(tmp_path), min_confidence=1.0))
    lenient = BuiltinEngine(BuiltinConfig(sources=str(tmp_path), min_confidence=0.1))
    assert (await collect(strict, question)).handoff
    assert (await collect(lenient, question)).text == "The water has 28 degrees."


async def test_the_length_of_a_question_is_limited(tmp_path: Path) -> None:
    folder_of(tmp_path, pool="# Pool\n\n## Is the water warm?\n\nThe water has 28 degrees.")
    engine = BuiltinEngine(BuiltinConfig(sources=str(tmp_path), question_max_chars=12))
    assert (await collect(engine, turn("water   warm"))).handoff is None
    assert (await collect(engine, turn("water   warm?"))).handoff == "the question is longer than 12 characters"


async def test_the_number_of_sentences_is_limited(tmp_path: Path) -> None:
    folder_of(tmp_path, pool="# Pool\n\n## Water\n\nOne. Two. Three. Four.")
    engine = BuiltinEngine(BuiltinConfig(sources=str(tmp_path), answer_max_sentences=2))
    assert (await collect(engine, turn("water"))).text == "One. Two."


async def test_another_folder_knows_other_things(tmp_path: Path) -> None:
    engine = folder_of(
        tmp_path,
        museo="# Museo\n\n## ¿Cuánto cuesta la entrada?\n\nLa entrada cuesta 9 euros. Los niños no pagan.",
        greeting="---\nsaludo: hola, buenos días\n---\n# Trato\n\n## Saludo\n\n¡Bienvenido!",
    )
    assert (await collect(engine, turn("Hola, ¿cuánto cuesta la entrada?"))).text.startswith("La entrada cuesta 9")
    assert (await collect(engine, turn("¡Hola!"))).text == "¡Bienvenido!"
    assert (await collect(engine, turn("How long is the warranty?"))).handoff


async def test_a_folder_needs_no_small_talk(tmp_path: Path) -> None:
    engine = folder_of(tmp_path, pool="# Pool\n\n## Water\n\nOne.")
    assert (await collect(engine, turn("hello"))).handoff
    assert (await collect(engine, turn("I want to talk to a human"))).handoff == "the customer asked for a person"


async def test_a_folder_that_goes_away_later_does_no_harm(tmp_path: Path) -> None:
    engine = folder_of(tmp_path, pool="# Pool\n\n## Water\n\nOne.")
    (tmp_path / "pool.md").unlink()
    assert (await collect(engine, turn("water"))).text == "One."
    with pytest.raises(SourcesError, match="holds no Markdown file"):
        BuiltinEngine(BuiltinConfig(sources=str(tmp_path)))


def test_small_talk_alone_is_no_source_of_truth(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="nothing but small talk"):
        folder_of(tmp_path, greeting="---\nhello: hi\n---\n## Hello\n\nHi.")


@pytest.mark.parametrize("settings", [{"min_confidence": 1.1}, {"answer_max_sentences": 0}, {"folders": "x"}])
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, BuiltinConfig)


@pytest.mark.parametrize(("chars", "inline"), [(builtin.INLINE_CHARS, True), (builtin.INLINE_CHARS + 1, False)])
async def test_long_questions_leave_the_event_loop(chars: int, inline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    reply = BuiltinEngine._reply

    def watched(engine: BuiltinEngine, said: Turn) -> builtin._Reply:
        threads.append(threading.current_thread())
        return reply(engine, said)

    monkeypatch.setattr(BuiltinEngine, "_reply", watched)
    await ask("x" * chars)
    assert (threads == [threading.main_thread()]) is inline


async def test_many_at_once_do_not_disturb_each_other() -> None:
    padding = " please" * (builtin.INLINE_CHARS // 7 + 1)
    alone = [await ask(case.question + padding) for case in ANSWERED]
    assert sum(answer.handoff is None for answer in alone) > len(ANSWERED) // 2
    together = await asyncio.gather(*(ask(case.question + padding) for case in ANSWERED))
    assert together == alone


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
