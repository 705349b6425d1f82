"""What the simulated workspace remembers."""

from adapters.slack.simulator_world import Person, Refusal, Room, Said, answered
from tests.adapters.slack.simulated import ana, workspace
from tests.kit.cases import NOW


def test_a_ts_is_unique_in_its_conversation() -> None:
    """Two messages of one microsecond have two; in two conversations they may have the same."""
    simulated = workspace()
    first = simulated.say(ana(), "a", NOW)
    second = simulated.say(ana(), "b", NOW)
    assert (first, second) == ("1767323045.000000", "1767323045.000001")
    assert simulated.say(ana(), "a", NOW, room=simulated.room("C1")) == first


def test_there_is_one_direct_message_for_each_person() -> None:
    world = workspace().world
    person = Person("U5", "Bo", "T1")
    assert world.direct(person) is world.direct(person)
    assert world.direct(person) is not world.direct(ana())
    assert world.direct(person).kind == "im"


def test_messages_as_they_are_shown() -> None:
    """Ours name the app; those of other companies their own."""
    simulated = workspace()
    world = simulated.world
    shared = Room("C1", is_shared=True)
    ours = world.message(Said(shared, "1.1", "UBOT", "hi", by_app=True, metadata={"event_type": "x"}))
    assert (ours["app_id"], ours["bot_id"], ours["metadata"]) == ("A1", "B1", {"event_type": "x"})
    world.people["U9"] = Person("U9", "Bo", "T9")
    theirs = world.message(Said(shared, "1.1", "U9", "hi", thread_ts="1.0"))
    assert (theirs["user_team"], theirs["source_team"], theirs["thread_ts"]) == ("T9", "T9", "1.0")
    assert "metadata" not in theirs
    nobody = world.message(Said(shared, "1.1", "U0", "hi"))
    assert "team" not in nobody


def test_refusals_are_answers() -> None:
    assert Refusal("not_in_channel").reply.body == b'{"ok": false, "error": "not_in_channel"}'
    assert answered(ts="1.1").body == b'{"ok": true, "ts": "1.1"}'
    assert answered().status == 200
