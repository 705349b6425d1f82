"""What a call does next: from what the provider tells, and from who holds the conversation. Data and pure functions.

Rule: while a call is up there is always a next step, and in every doubt it leads to people.
Rule: nothing is remembered here: what the next request must know stands in the URL that we give for it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from adapters._twilio import Form
from adapters.twilio_voice.config import Config
from adapters.twilio_voice.hours import Hours, read_hours
from adapters.twilio_voice.wire import OVER, Frame, covers, frame_of, tag, whole, word

# --- steps --------------------------------------------------------------------------------------------------------


class Words(Struct, frozen=True):
    """Said in the language that was named with them (BCP 47)."""

    text: str
    language: str


Said = str | Words
"""A mere text is in the language of the settings: one of theirs, or one that came without a language."""


def worded(text: str, language: str | None) -> Said:
    known = tag(language or "")
    return text if known is None else Words(text, known)


class Connect(Struct, frozen=True):
    """To the AI, over a relay socket. `failed_s`: when a relay of this call has failed, in seconds since 1970."""

    greet: bool = True
    failed_s: int | None = None


class Listen(Struct, frozen=True):
    """Say this, then hear the caller's turn. `after`: what the leg has shown so far; `silent`: turns without a word.

    `language`: that he is heard in. None: that of the settings.
    """

    say: tuple[Said, ...]
    after: int
    silent: int = 0
    play: tuple[str, ...] = ()
    language: str | None = None


class Await(Struct, frozen=True):
    """Say this, then look whether something was answered; `waited_s` so far. `language`: see `Listen`."""

    say: tuple[Said, ...]
    after: int
    waited_s: int = 0
    play: tuple[str, ...] = ()
    language: str | None = None


class Menu(Struct, frozen=True):
    wrong: int = 0
    """Keys that were none of the menu's, so far."""


class Dial(Struct, frozen=True):
    say: tuple[Said, ...]
    to: str


class Enqueue(Struct, frozen=True):
    say: tuple[Said, ...]
    queue: str


class Waiting(Struct, frozen=True):
    """What is heard in a queue."""


class Leave(Struct, frozen=True):
    """Out of the queue."""


class Voicemail(Struct, frozen=True):
    say: tuple[Said, ...]


class Goodbye(Struct, frozen=True):
    say: tuple[Said, ...]


class Nothing(Struct, frozen=True):
    """The call is over, or nothing is asked for."""


Step = Connect | Listen | Await | Menu | Dial | Enqueue | Waiting | Leave | Voicemail | Goodbye | Nothing


# --- facts --------------------------------------------------------------------------------------------------------


class Told(Struct, frozen=True, kw_only=True):
    """What is known when a step is asked for."""

    form: Form
    query: Form
    now: datetime
    settled: bool
    """False: what room 2 makes of it is not known."""
    holder: str | None = None
    wire_seq: int | None = None
    can_be_called: bool = True
    """The caller has an address that we could call."""


ANY = None
UNOPENED, DROPPED = "64102", "64105"
"""The socket could not be opened, or was lost."""
RECONNECT_CODES = frozenset({UNOPENED, DROPPED})
Then = Literal["people", "again", "retry", "goodbye"]


class Row(NamedTuple):
    """A line of the table of what follows a relay session; ANY fits all."""

    status: frozenset[str] | None
    error: frozenset[str] | None
    reason: frozenset[str] | None
    then: Then


ENDED = frozenset({"ended", "completed"})
AFTER: Sequence[Row] = (
    Row(ANY, RECONNECT_CODES, ANY, "retry"),
    Row(ANY, frozenset({"64107"}), ANY, "people"),
    Row(ENDED, ANY, frozenset({"done"}), "goodbye"),
    Row(ENDED, ANY, frozenset({"reconnect"}), "again"),
    Row(ANY, ANY, ANY, "people"),
)
"""The first that fits. A handoff to people is the last line, as is everything that nobody has thought of."""
SPOKEN = frozenset({"completed", "answered"})
"""Values of `DialCallStatus` after which nobody has to leave a message."""
MENU_TRIES = 2
SILENT_TRIES = 3
POLL_S = 8
"""How long one request waits for an answer: well below the 15 seconds after which the provider gives up."""


class Planner:
    """The steps of one number's calls."""

    def __init__(self, config: Config) -> None:
        self._config = config
        try:
            self._hours: Hours | None = read_hours(config.time_zone, config.hours, config.closed_on)
        except ValueError:
            self._hours = None  # `problems` has said so; who runs it all the same is always open

    def step(self, route: str, told: Told) -> Step:
        """`route`: see `route_of`."""
        if told.form.text("CallStatus") in OVER:
            return Nothing()
        match route:
            case "":
                return self._incoming(told)
            case "/after":
                return self._after(told)
            case "/turn":
                return self._turned(told)
            case "/menu":
                return self._menu(told)
            case "/dial-done":
                return self._dialled(told)
            case "/queue-done":
                return self._left_queue(told)
            case "/voicemail":
                return Goodbye((self._config.say_goodbye,))
            case "/wait":
                return self._waiting(told)
            case _:
                return self.people(told.now)

    # --- to people ------------------------------------------------------------------------------------------------

    def people(self, now: datetime, words: tuple[Said, ...] = ()) -> Step:
        """Whoever answers now; out of hours, or where nobody is configured, a message can be left.

        `words`: what stands in the conversation and is heard before that.
        """
        config, is_open = self._config, self._hours is None or self._hours.open(now)
        if is_open and config.human_number:
            return Dial(words or (config.say_connecting,), config.human_number)
        if is_open and config.queue:
            return Enqueue(words or (config.say_connecting,), config.queue)
        return Voicemail((*words, config.say_voicemail))

    def served_here(self, holder: str | None, *, agents: bool = True) -> bool:
        """Whether whoever holds the conversation answers over this very line: the AI, or an agent who types."""
        return holder in (None, "ai", "nobody") or (agents and holder == "agent" and self._config.takeover == "typed")

    # --- the relay ------------------------------------------------------------------------------------------------

    def _incoming(self, told: Told) -> Step:
        if not told.settled or not self.served_here(told.holder, agents=False):
            return self.people(told.now)
        if self._config.mode == "relay":
            return Connect()
        if told.wire_seq is None:
            return self.people(told.now)
        return Listen((self._config.say_greeting,), told.wire_seq)

    def _after(self, told: Told) -> Step:
        match after(told.form):
            case "people":
                return self.people(told.now)
            case "goodbye":
                return Goodbye((self._config.say_goodbye,))
            case "again" | "retry" if told.settled and not self.served_here(told.holder):
                return self.people(told.now)
            case "again":
                return Connect(greet=False, failed_s=whole(told.query.text("f")))
            case "retry":
                return self._retry(told)

    def _retry(self, told: Told) -> Step:
        before, now_s = whole(told.query.text("f")), int(told.now.timestamp())
        if before is not None and now_s - before <= self._config.reconnect_within_s:
            return Menu()
        # The relay speaks the greeting: where no socket was opened the caller would come back to silence.
        return Connect(greet=told.form.text("ErrorCode") == UNOPENED, failed_s=now_s)

    # --- turns over webhooks --------------------------------------------------------------------------------------

    def _turned(self, told: Told) -> Step:
        place, language = whole(told.query.text("a")) or told.wire_seq, self._heard_in(told)
        if not told.settled or place is None or not self.served_here(told.holder):
            return self.people(told.now)
        if not (told.form.text("SpeechResult").strip() or told.form.text("Digits")):
            return Listen((self._config.say_again,), place, silent=1, language=language)
        return Await((), place, language=language)

    def _heard_in(self, told: Told) -> str | None:
        """As the provider says, else as it was asked to hear him."""
        heard = tag(told.form.text("Language") or told.query.text("l"))
        return None if heard is None or covers(heard, self._config.language) else heard

    def answered(self, query: Form, now: datetime, lines: "Lines") -> Step:
        """What the leg has shown since; see `Lines`."""
        place, language = max(lines.last, whole(query.text("a")) or 0), self._then_heard_in(query, lines)
        if lines.then == "people":
            return self.people(now, lines.say)
        if lines.then == "goodbye":
            return Goodbye((*lines.say, self._config.say_goodbye))
        if lines.more:
            return Await(lines.say, place, play=lines.play, language=language)
        if lines.say or lines.play:
            return Listen(lines.say, place, play=lines.play, language=language)
        return self._unanswered(query, now, place, language)

    def _then_heard_in(self, query: Form, lines: "Lines") -> str | None:
        """Whoever is spoken to in another language answers in it; whose is spoken already is heard as before."""
        before = tag(query.text("l"))
        spoken = next((one.language for one in reversed(lines.say) if isinstance(one, Words)), None)
        if spoken is None or covers(spoken, before or self._config.language):
            return before
        return None if covers(spoken, self._config.language) else spoken

    def _unanswered(self, query: Form, now: datetime, place: int, language: str | None) -> Step:
        silent = whole(query.text("q"))
        if silent is not None:
            if silent >= SILENT_TRIES:
                return self.people(now)
            return Listen((self._config.say_again,), place, silent=silent, language=language)
        waited = (whole(query.text("w")) or 0) + POLL_S
        if waited >= self._config.answer_wait_s:
            return self.people(now)
        return Await((self._config.say_wait,), place, waited, language=language)

    def patience_ms(self, query: Form) -> int:
        """How long a look for an answer may take."""
        if query.text("q"):
            return 0
        left = self._config.answer_wait_s - (whole(query.text("w")) or 0)
        return 1000 * max(1, min(POLL_S, left))

    # --- without the AI -------------------------------------------------------------------------------------------

    def _menu(self, told: Told) -> Step:
        key, wrong = told.form.text("Digits")[:1], whole(told.query.text("n")) or 0
        if key == "1" or told.form.text("SpeechResult").strip():
            return self.people(told.now)
        if key == "2" and told.can_be_called:
            return Goodbye((self._config.say_callback,))
        if key in ("2", "3"):
            return Voicemail((self._config.say_voicemail,))
        return self.people(told.now) if wrong + 1 >= MENU_TRIES else Menu(wrong + 1)

    def _dialled(self, told: Told) -> Step:
        if told.form.text("DialCallStatus") in SPOKEN:
            return Goodbye((self._config.say_goodbye,))
        return Voicemail((self._config.say_voicemail,))

    def _left_queue(self, told: Told) -> Step:
        match told.form.text("QueueResult"):
            case "bridged":
                return Goodbye((self._config.say_goodbye,))
            case "hangup":
                return Nothing()
            case _:
                return Voicemail((self._config.say_voicemail,))

    def _waiting(self, told: Told) -> Step:
        waited = whole(told.form.text("QueueTime")) or 0
        return Leave() if waited >= self._config.queue_wait_s else Waiting()


class Lines(Struct, frozen=True, kw_only=True):
    """What a page of a leg says to a caller."""

    say: tuple[Said, ...] = ()
    play: tuple[str, ...] = ()
    then: Literal["people", "goodbye"] | None = None
    last: int = 0
    more: bool = False


def after(form: Form) -> Then:
    status, error, reason = form.text("SessionStatus"), form.text("ErrorCode"), reason_of(form.text("HandoffData"))
    for row in AFTER:
        if _fits(row.status, status) and _fits(row.error, error) and _fits(row.reason, reason):
            return row.then
    raise AssertionError("the last row fits everything")


def _fits(wanted: frozenset[str] | None, value: str) -> bool:
    return wanted is None or value in wanted


def reason_of(handoff: str) -> str:
    """Why we have ended a session ourselves; empty where that is missing or can not be read."""
    frame: Frame | None = frame_of(handoff.encode("utf-8", "replace"))
    return "" if frame is None else word(frame, "reason") or word(frame, "reasonCode")


def handoff(reason: Literal["agent", "done", "reconnect"]) -> str:
    """The other way round; the provider wants a text, not an object."""
    return msgspec.json.encode({"reason": reason}).decode()
