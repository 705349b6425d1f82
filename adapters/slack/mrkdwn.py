"""Slack's markup of text to text that people and machines read, and back. Names of emoji.

Rule: what we send is text: `&`, `<` and `>` are escaped, so that nothing in it mentions anybody or calls a channel.
See https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Mapping

_MARKED = re.compile(r"<([^<>\s][^<>]*)>")
_SPECIAL = frozenset({"here", "channel", "everyone", "group"})
_SKIN_TONES = {f"skin-tone-{number}": chr(0x1F3FB + number - 2) for number in range(2, 7)}
_VARIATION = "\ufe0f"
_NAME = re.compile(r":?([a-z0-9_+'-]{1,100}):?")


def decode(text: str, our_user: str | None = None) -> str:
    """A mention of ours at the beginning only says whom the text is for: it is left out."""
    if our_user:
        text = re.sub(rf"\A\s*<@{re.escape(our_user)}(?:\|[^<>]*)?>[\s,:]*", "", text)
    text = _MARKED.sub(_read, text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def encode(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mentions(text: str, user: str) -> bool:
    return f"<@{user}>" in text or f"<@{user}|" in text


def _read(found: re.Match[str]) -> str:
    target, _, label = found[1].partition("|")
    match target[:1]:
        case "@":
            return "@" + (label or target[1:]).removeprefix("@")
        case "#":
            return "#" + (label or target[1:]).removeprefix("#")
        case "!":
            return _command(target[1:], label)
        case _:
            return _link(target, label)


def _command(command: str, label: str) -> str:
    if command in _SPECIAL:
        return "@" + command
    return label or "@" + command.partition("^")[2]


def _link(target: str, label: str) -> str:
    plain = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in (target, plain) or target.partition("://")[2].rstrip("/") == label.rstrip("/"):
        return plain
    return f"{label} ({plain})"


# --- emoji --------------------------------------------------------------------------------------------------------

EMOJI: Mapping[str, str] = {
    "+1": "👍", "thumbsup": "👍", "-1": "👎", "thumbsdown": "👎", "heart": "❤", "white_check_mark": "✅",
    "heavy_check_mark": "✔", "x": "❌", "eyes": "👀", "pray": "🙏", "tada": "🎉", "raised_hands": "🙌", "clap": "👏",
    "ok_hand": "👌", "wave": "👋", "fire": "🔥", "rocket": "🚀", "100": "💯", "joy": "😂", "smile": "😄",
    "slightly_smiling_face": "🙂", "grinning": "😀", "laughing": "😆", "wink": "😉", "blush": "😊",
    "heart_eyes": "😍", "thinking_face": "🤔", "cry": "😢", "sob": "😭", "disappointed": "😞",
    "slightly_frowning_face": "🙁", "angry": "😠", "rage": "😡", "open_mouth": "😮", "scream": "😱",
    "sweat_smile": "😅", "sunglasses": "😎", "muscle": "💪", "point_up": "☝", "question": "❓", "exclamation": "❗",
    "warning": "⚠", "bulb": "💡", "star": "⭐", "hourglass_flowing_sand": "⏳", "handshake": "🤝", "bow": "🙇",
    "memo": "📝", "bug": "🐛", "sparkles": "✨", "broken_heart": "💔", "sos": "🆘", "no_entry": "⛔",
    "red_circle": "🔴", "large_green_circle": "🟢", "hugging_face": "🤗", "partying_face": "🥳", "gift": "🎁",
    "package": "📦", "truck": "🚚",
}  # fmt: skip
"""The usual ones of `:name:`; others keep their name."""
_NAMES = {char: name for name, char in reversed(list(EMOJI.items()))}


def emoji_of(name: str) -> str:
    base, _, tone = name.partition("::")
    char = EMOJI.get(base)
    return f":{name}:" if char is None else char + _SKIN_TONES.get(tone, "")


def name_of(emoji: str) -> str | None:
    """The reverse; None where Slack's name for it is not known here."""
    tone = next((name for name, char in _SKIN_TONES.items() if char in emoji), None)
    plain = emoji.replace(_VARIATION, "").replace(_SKIN_TONES.get(tone or "", _VARIATION), "")
    if name := _NAMES.get(plain):
        return f"{name}::{tone}" if tone else name
    named = _NAME.fullmatch(emoji.partition("::")[0]) if emoji.isascii() else None
    return emoji.strip(":") if named else None
