"""Settings of a telephone number: the single source for validation, masking and the table in the docs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from adapters._http import url_problem
from adapters.base import ChannelSpec, Secret
from adapters.twilio_voice.hours import read_hours
from adapters.twilio_voice.wire import dialable, who
from normalizer.ids import ChannelId, EndpointId

API_URL = "https://api.twilio.com"
Seconds = Annotated[int, Meta(ge=1)]
Spoken = Annotated[str, Meta(max_length=600)]


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    account_sid: Annotated[str | None, Meta(description="The account, `AC...`.")] = None
    auth_tokens: Annotated[
        tuple[Secret, ...],
        Meta(description="Auth tokens that sign what comes in; several while one is replaced, the current one first."),
    ] = ()
    api_key_sid: Annotated[
        str | None, Meta(description="An API key, `SK...`, for calls of the API instead of the auth token.")
    ] = None
    api_key_secret: Annotated[Secret | None, Meta(description="The secret of that key.")] = None
    number: Annotated[str | None, Meta(description="Our number, `+...`; one for each endpoint.")] = None
    public_url: Annotated[
        str | None,
        Meta(description="Where Twilio reaches this endpoint, if not at the gateway's own `public_url`."),
    ] = None
    api_url: Annotated[str, Meta(description="Address of the REST API.")] = API_URL
    ticket_secrets: Annotated[
        tuple[Secret, ...],
        Meta(description="Sign what a call carries from one request to the next. Default: the auth tokens."),
    ] = ()

    mode: Annotated[
        Literal["relay", "gather"],
        Meta(description="`relay`: ConversationRelay over a socket. `gather`: turn by turn over webhooks."),
    ] = "relay"
    language: Annotated[str, Meta(description="Spoken and understood, like `en-US`.")] = "en-US"
    voice: Annotated[str | None, Meta(description="Twilio's name of a voice. Default: the language's own.")] = None
    tts_provider: Annotated[str | None, Meta(description="Of the relay: `Google`, `Amazon` or `ElevenLabs`.")] = None
    transcription_provider: Annotated[str | None, Meta(description="Of the relay: `Google` or `Deepgram`.")] = None
    hints: Annotated[str | None, Meta(description="Words to expect, with commas between them: names, products.")] = None
    interruptible: Annotated[
        Literal["none", "dtmf", "speech", "any"], Meta(description="What stops our voice: speech, keys, both or none.")
    ] = "any"
    media_stream: Annotated[
        bool, Meta(description="Also opens a Media Stream; its beginning, end and keys are kept, its sound is not.")
    ] = False

    human_number: Annotated[
        str | None, Meta(description="Where people answer: a number, `sip:...` or `client:...`, which is dialled.")
    ] = None
    queue: Annotated[str | None, Meta(description="Twilio's queue that calls wait in for people.")] = None
    dial_timeout_s: Annotated[Seconds, Meta(description="How long it rings at `human_number`.")] = 25
    queue_wait_s: Annotated[Seconds, Meta(description="Who has waited so long in the queue may leave a message.")] = 600
    wait_music_url: Annotated[str | None, Meta(description="Played in the queue, between two announcements.")] = None
    takeover: Annotated[
        Literal["typed", "phone"],
        Meta(description="An agent takes over during a call: what he types is spoken, or his phone rings instead."),
    ] = "typed"
    time_zone: Annotated[str, Meta(description="Of `hours`, like `Europe/Berlin`.")] = "UTC"
    hours: Annotated[
        dict[str, tuple[str, ...]],
        Meta(description="When people answer: `mon` to `sun`, each a list like `09:00-17:30`. Empty: always."),
    ] = {}
    closed_on: Annotated[tuple[str, ...], Meta(description="Days without people, like `2026-12-25`.")] = ()
    record_max_s: Annotated[Seconds, Meta(description="Length of a message that a caller may leave.")] = 120
    transcribe: Annotated[bool, Meta(description="Twilio writes down such messages (English, up to 120 s).")] = True

    call_out: Annotated[
        Literal["never", "agents", "any"],
        Meta(
            description="Who is not on the line is called: for what agents write, or for whatever is said. "
            "`never`: then it can not be delivered."
        ),
    ] = "never"
    ring_out_s: Annotated[Seconds, Meta(description="How long it rings when we call.")] = 30
    answer_wait_s: Annotated[
        Annotated[int, Meta(ge=2)], Meta(description="Mode `gather`: a caller who waited so long goes to people.")
    ] = 30
    reconnect_within_s: Annotated[
        Seconds, Meta(description="A relay that fails twice within this time is given up for a menu.")
    ] = 60
    hello_ms: Annotated[int, Meta(ge=1, description="A socket that said nothing by then is closed.")] = 10_000
    frame_max_bytes: Annotated[int, Meta(ge=4_096, description="Of one frame.")] = 65_536

    say_greeting: Annotated[Spoken, Meta(description="The first thing that is said.")] = "Hello. How can I help you?"
    say_connecting: Annotated[Spoken, Meta(description="On the way to people.")] = (
        "One moment, please. I am connecting you."
    )
    say_wait: Annotated[Spoken, Meta(description="While an answer is awaited, and in the queue.")] = (
        "One moment, please."
    )
    say_menu: Annotated[Spoken, Meta(description="The menu without an assistant: keys 1, 2 and 3.")] = (
        "Our assistant can not be reached. Press 1 to speak to somebody, 2 to be called back, 3 to leave a message."
    )
    say_callback: Annotated[Spoken, Meta(description="To who asked to be called back.")] = (
        "Thank you. We will call you back."
    )
    say_voicemail: Annotated[Spoken, Meta(description="Before the tone.")] = (
        "Nobody can take your call right now. Please leave a message after the tone."
    )
    say_apology: Annotated[Spoken, Meta(description="When the gateway itself is in trouble.")] = (
        "We are sorry, we have a technical problem. Please leave a message after the tone, and we will call you back."
    )
    say_again: Annotated[Spoken, Meta(description="When nothing was understood.")] = (
        "I did not hear anything. Please say it again."
    )
    say_goodbye: Annotated[Spoken, Meta(description="The last thing that is said.")] = "Thank you. Goodbye."

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        return (ChannelSpec(ChannelId(endpoint_id), self.account),)

    @property
    def account(self) -> str | None:
        """Our number as Twilio writes it, however it was typed."""
        return f"+{self.number.removeprefix('+')}" if self.number else None

    def credentials(self) -> Mapping[str, str]:
        known = {"auth_token": next(iter(self.auth_tokens), None), "api_key_secret": self.api_key_secret}
        return {name: value for name, value in known.items() if value}

    def problems(self) -> Sequence[str]:
        found = [f"{key} is missing" for key in ("account_sid", "auth_tokens", "number") if not getattr(self, key)]
        return [*found, *self._number_problems(), *self._url_problems(), *self._other_problems()]

    def _number_problems(self) -> Iterator[str]:
        if self.number and not self.number.removeprefix("+").isdecimal():
            yield "number must be like +442079460137"
        if self.human_number and dialable(who(self.human_number, "")[0]) != self.human_number:
            yield "human_number must be like +442079460137, sip:name@host or client:name"
        if self.human_number and self.human_number == self.account:
            yield "human_number is our own number: whoever is passed on to people would call us again"

    def _url_problems(self) -> Iterator[str]:
        yield from url_problem("api_url", self.api_url)
        if self.public_url:
            yield from url_problem("public_url", self.public_url)
            if "/hooks/" not in self.public_url and self.public_url.rstrip("/").count("/") > 2:
                yield "public_url must hold /hooks/ in its path, or no path: its sockets are found at /live/"
        if self.wait_music_url:
            yield from url_problem("wait_music_url", self.wait_music_url)

    def _other_problems(self) -> Iterator[str]:
        if bool(self.api_key_sid) != bool(self.api_key_secret):
            yield "api_key_sid and api_key_secret go together"
        try:
            read_hours(self.time_zone, self.hours, self.closed_on)
        except ValueError as error:
            yield str(error)
