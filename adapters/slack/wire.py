"""The JSON of Slack's Events API, interactivity, slash commands and Web API, as far as it is read.

Every field may be missing. Objects inside of objects are `Raw` and read by themselves, so that an unreadable one is
left out and what surrounds it stays.
"""

from msgspec import Raw, Struct

from adapters._json import Reader

NONE = Raw(b"null")


class Outer(Struct, frozen=True):
    """Of every JSON request: an event, or what interactivity and slash commands say in the same place."""

    type: str | None = None
    team_id: str | None = None
    context_team_id: str | None = None
    context_enterprise_id: str | None = None
    api_app_id: str | None = None
    authorizations: list[Raw] | None = None
    event: Raw = NONE
    event_id: str | None = None
    event_time: int | None = None
    command: str | None = None
    challenge: str | None = None


class Authorization(Struct, frozen=True):
    """One installation that the event is meant for. A workspace of an organization-wide one has no `team_id`."""

    team_id: str | None = None
    enterprise_id: str | None = None
    user_id: str | None = None
    is_bot: bool | None = None


class Profile(Struct, frozen=True):
    display_name: str | None = None
    real_name: str | None = None
    name: str | None = None
    team: str | None = None


class BotProfile(Struct, frozen=True):
    app_id: str | None = None
    name: str | None = None


class Edited(Struct, frozen=True):
    ts: str | None = None


class EchoPayload(Struct, frozen=True):
    echo_key: str | None = None


class Metadata(Struct, frozen=True):
    event_type: str | None = None
    event_payload: EchoPayload | None = None


class Quoted(Struct, frozen=True):
    """One of `attachments`: a message that was passed on, a preview of a link, or what a bot shows."""

    text: str | None = None
    fallback: str | None = None
    title: str | None = None
    is_share: bool | None = None
    files: list[Raw] | None = None


class Preview(Struct, frozen=True):
    content: str | None = None
    has_more: bool | None = None


class Transcription(Struct, frozen=True):
    """Of a clip, once Slack has written it down."""

    preview: Preview | None = None


class File(Struct, frozen=True):
    id: str | None = None
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    subtype: str | None = None
    size: int | None = None
    mode: str | None = None
    is_external: bool | None = None
    url_private: str | None = None
    url_private_download: str | None = None
    permalink: str | None = None
    file_access: str | None = None
    transcription: Transcription | None = None


class Event(Struct, frozen=True):
    """Any event: the fields of messages, and of the other kinds that are read."""

    type: str | None = None
    subtype: str | None = None
    channel: str | None = None
    channel_type: str | None = None
    user: str | None = None
    text: str | None = None
    ts: str | None = None
    event_ts: str | None = None
    team: str | None = None
    user_team: str | None = None
    source_team: str | None = None
    user_profile: Raw = NONE
    bot_id: str | None = None
    app_id: str | None = None
    username: str | None = None
    bot_profile: Raw = NONE
    thread_ts: str | None = None
    parent_user_id: str | None = None
    blocks: list[Raw] | None = None
    files: list[Raw] | None = None
    attachments: list[Raw] | None = None
    edited: Raw = NONE
    metadata: Raw = NONE
    # message_changed, message_deleted
    message: Raw = NONE
    previous_message: Raw = NONE
    deleted_ts: str | None = None
    # reaction_added, reaction_removed
    item: Raw = NONE
    reaction: str | None = None
    # message_metadata_posted
    channel_id: str | None = None
    message_ts: str | None = None
    # channel_id_changed
    old_channel_id: str | None = None
    new_channel_id: str | None = None
    # tokens_revoked, team_access_revoked
    tokens: Raw = NONE
    team_ids: list[str] | None = None


class Revoked(Struct, frozen=True):
    """Whose tokens ended: people's, and those of our own user."""

    bot: list[str] | None = None


class Node(Struct, frozen=True):
    """A block of a message, or what lies in one."""

    type: str | None = None
    text: Raw = NONE
    """Words, or an object that has them."""
    title: Raw = NONE
    alt_text: str | None = None
    fields: list[Raw] | None = None
    elements: list[Raw] | None = None
    url: str | None = None
    name: str | None = None
    range: str | None = None
    user_id: str | None = None
    channel_id: str | None = None
    usergroup_id: str | None = None


class Item(Struct, frozen=True):
    type: str | None = None
    channel: str | None = None
    ts: str | None = None


# --- interactivity ------------------------------------------------------------------------------------------------


class Person(Struct, frozen=True):
    id: str | None = None
    username: str | None = None
    name: str | None = None
    team_id: str | None = None


class Named(Struct, frozen=True):
    id: str | None = None


class Container(Struct, frozen=True):
    type: str | None = None
    message_ts: str | None = None
    channel_id: str | None = None
    thread_ts: str | None = None
    view_id: str | None = None


class Shown(Struct, frozen=True):
    """The message with the button; missing when only this person could see it."""

    ts: str | None = None
    thread_ts: str | None = None


class Label(Struct, frozen=True):
    text: str | None = None


class Option(Struct, frozen=True):
    text: Label | None = None
    value: str | None = None
    description: Label | None = None


class Action(Struct, frozen=True):
    type: str | None = None
    action_id: str | None = None
    block_id: str | None = None
    action_ts: str | None = None
    text: Label | None = None
    value: str | None = None
    selected_option: Option | None = None
    selected_options: list[Option] | None = None
    selected_date: str | None = None
    selected_time: str | None = None
    selected_date_time: int | None = None
    selected_user: str | None = None
    selected_channel: str | None = None
    selected_conversation: str | None = None
    selected_users: list[str] | None = None
    selected_channels: list[str] | None = None
    selected_conversations: list[str] | None = None


class State(Struct, frozen=True):
    values: Raw = NONE


class View(Struct, frozen=True):
    id: str | None = None
    hash: str | None = None
    callback_id: str | None = None
    title: Label | None = None
    state: State | None = None
    app_installed_team_id: str | None = None


class Interaction(Struct, frozen=True):
    type: str | None = None
    user: Raw = NONE
    team: Raw = NONE
    channel: Raw = NONE
    container: Raw = NONE
    message: Raw = NONE
    view: Raw = NONE
    enterprise: Raw = NONE
    is_enterprise_install: bool | None = None
    actions: list[Raw] | None = None
    callback_id: str | None = None
    trigger_id: str | None = None
    action_ts: str | None = None


class Command(Struct, frozen=True):
    command: str | None = None
    text: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    team_id: str | None = None
    trigger_id: str | None = None


# --- answers of the Web API ---------------------------------------------------------------------------------------


class Answer(Struct, frozen=True):
    """What all answers have; a call that failed is usually a 200 as well."""

    ok: bool | None = None
    error: str | None = None


class Posted(Answer, frozen=True):
    channel: str | None = None
    ts: str | None = None


class Opened(Answer, frozen=True):
    channel: Named | None = None


class Ticket(Answer, frozen=True):
    upload_url: str | None = None
    file_id: str | None = None


class Share(Struct, frozen=True):
    ts: str | None = None


class SharedFile(File, frozen=True):
    shares: dict[str, dict[str, list[Share]]] | None = None
    """By `public` or `private`, then by channel."""


class FileInfo(Answer, frozen=True):
    file: SharedFile | None = None


class Identity(Answer, frozen=True):
    """Of `auth.test`."""

    team_id: str | None = None
    enterprise_id: str | None = None
    user_id: str | None = None
    is_enterprise_install: bool | None = None


class ReactionSeen(Struct, frozen=True):
    name: str | None = None
    users: list[str] | None = None


class MessageSeen(Struct, frozen=True):
    reactions: list[ReactionSeen] | None = None


class Reactions(Answer, frozen=True):
    message: MessageSeen | None = None


class Next(Struct, frozen=True):
    next_cursor: str | None = None


class Page(Answer, frozen=True):
    """Of `conversations.history` and `conversations.replies`."""

    messages: list[Raw] | None = None
    has_more: bool | None = None
    response_metadata: Next | None = None


class Past(Struct, frozen=True):
    """A message of a Page, as far as reading on needs it."""

    ts: str | None = None
    thread_ts: str | None = None
    latest_reply: str | None = None
    edited: Edited | None = None


read_outer = Reader(Outer).read
read_authorization = Reader(Authorization).read
read_event = Reader(Event).read
read_profile = Reader(Profile).read
read_bot_profile = Reader(BotProfile).read
read_edited = Reader(Edited).read
read_metadata = Reader(Metadata).read
read_quoted = Reader(Quoted).read
read_file = Reader(File).read
read_item = Reader(Item).read
read_revoked = Reader(Revoked).read
read_node = Reader(Node).read
read_interaction = Reader(Interaction).read
read_person = Reader(Person).read
read_named = Reader(Named).read
read_container = Reader(Container).read
read_shown = Reader(Shown).read
read_action = Reader(Action).read
read_view = Reader(View).read
read_command = Reader(Command).read
read_past = Reader(Past).read
