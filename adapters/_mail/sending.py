"""Mails out: what all mail adapters do with an envelope, and the settings of the server that takes it."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from adapters._mail.codes import retry_after_s, settle
from adapters._mail.compose import Sender, compose
from adapters._mail.content import content_of
from adapters._mail.renamed import new_id
from adapters.base import (
    Flow,
    Login,
    NotReached,
    Refused,
    Secret,
    SendContext,
    Sent,
    Server,
    Unavailable,
)
from normalizer.envelope import (
    AddressChange,
    CallEvent,
    Edit,
    Envelope,
    Message,
    Note,
    Reaction,
    Receipt,
    Revoke,
    SessionEnded,
    StateChange,
    Typing,
    Unsupported,
)

PASSWORD = "smtp_password"


class SmtpConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where mails go out; part of the settings of every mail adapter."""

    smtp_host: Annotated[str | None, Meta(description="Server that takes our mails. Unset: nothing can be sent.")] = (
        None
    )
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="Its port; 587 with `starttls`.")] = 465
    smtp_security: Annotated[
        Literal["tls", "starttls", "none"], Meta(description="`none` only on this machine or a wire of your own.")
    ] = "tls"
    smtp_user: Annotated[str | None, Meta(description="Who logs in there. Unset: nobody does.")] = None
    smtp_password: Annotated[Secret | None, Meta(description="The password of `smtp_user`.")] = None
    from_name: Annotated[str | None, Meta(description="The name beside our address.")] = None
    reply_to: Annotated[
        str | None, Meta(description="Address that answers go to; it must lead back here. Unset: our address.")
    ] = None
    return_path: Annotated[
        str | None, Meta(description="Address that bounces go to; it must lead back here. Unset: our address.")
    ] = None
    plus_addresses: Annotated[
        bool, Meta(description="Answers go to `local+token@domain`; the mail server must deliver that to `local`.")
    ] = True
    empty_sender: Annotated[
        bool,
        Meta(
            description="Automatic mails have an empty sender in the SMTP envelope (RFC 3834). They then do not bounce,"
            " and many providers refuse them."
        ),
    ] = False

    def smtp_problems(self) -> list[str]:
        """For `problems`."""
        found = []
        if self.smtp_user and not self.smtp_password:
            found.append("smtp_password is missing (smtp_user is set)")
        if self.smtp_password and not self.smtp_user:
            found.append("smtp_user is missing (smtp_password is set)")
        if (self.smtp_user or self.smtp_password or self.return_path) and not self.smtp_host:
            found.append("smtp_host is missing")
        written = (("reply_to", self.reply_to), ("return_path", self.return_path))
        return found + [f"{key} is not an address" for key, given in written if given and not looks_like_address(given)]


def looks_like_address(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(local and domain) and not re.search(r"[\s<>,;:\"\x00-\x1f]", text)


def sender_of(
    config: SmtpConfig,
    address: str,
    token_key: str,
    *,
    login: Login | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Sender:
    """`login` instead of a password. Raises Refused when there is no server."""
    if config.smtp_host is None:
        raise Refused("no mail server is configured to send by (smtp_host)")
    if login is None and config.smtp_user is not None:
        login = Login(user=config.smtp_user, credential=PASSWORD)
    return Sender(
        server=Server(host=config.smtp_host, port=config.smtp_port, security=config.smtp_security),
        login=login,
        address=address,
        token_key=token_key,
        name=config.from_name,
        reply_to=config.reply_to,
        return_path=config.return_path,
        plus=config.plus_addresses,
        empty_sender=config.empty_sender,
        headers=headers,
    )


def send(message: Envelope, ctx: SendContext, sender: Sender) -> Flow[Sent]:
    match message.body:
        case Message() as body:
            return (yield from _mail(message, body, ctx, sender))
        case Receipt() | Typing():
            return Sent()  # nothing of that kind is seen in a mail program
        case Reaction() | Edit() | Revoke() | CallEvent() | AddressChange() | SessionEnded() | StateChange():
            raise Refused(f"mail has no way to send {_kind(message)}")
        case Note() | Unsupported():
            raise Refused(f"{_kind(message)} is not for customers")


def _mail(message: Envelope, body: Message, ctx: SendContext, sender: Sender) -> Flow[Sent]:
    if ctx.step > 0:
        return Sent()
    letter = compose(message, body, content_of(body.parts), ctx, sender)
    try:
        reply = yield letter.call
    except (NotReached, Unavailable) as error:
        # Our own server is down for minutes rather than for seconds.
        error.retry_after_s = error.retry_after_s or retry_after_s(ctx.attempt)
        raise
    said = settle(reply, ctx.attempt, files=bool(letter.call.attachments))
    other = new_id(sender.server.host, said.text)
    return Sent((letter.message_id,) if other is None else (letter.message_id, other))


def _kind(message: Envelope) -> str:
    return str(type(message.body).__struct_config__.tag)
