"""What a message says in its blocks, where it has no text beside them.

Rule: the result is Slack's markup, as the text would have been; buttons and menus say nothing.
See https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from adapters.slack import wire
from adapters.slack.mrkdwn import encode


def shown(blocks: Sequence[Raw] | None) -> str:
    return "\n".join(filter(None, map(_block, _nodes(blocks))))


def _nodes(slices: Sequence[Raw] | None) -> list[wire.Node]:
    return [node for node, _ in map(wire.read_node, slices or ()) if node is not None]


def _block(block: wire.Node) -> str:
    match block.type:
        case "rich_text":
            return "\n".join(map(_paragraph, _nodes(block.elements))).strip()
        case "context":
            return " ".join(filter(None, (_words(element.text) for element in _nodes(block.elements))))
        case _:
            said = [_words(block.title), _words(block.text), *map(_words, block.fields or ())]
            return "\n".join(filter(None, said)) or encode(block.alt_text or "")


def _words(text: Raw) -> str:
    """Words stand as they are, or in an object that says whether they are marked up."""
    try:
        return encode(msgspec.json.decode(text, type=str))
    except msgspec.DecodeError:
        pass
    node = wire.read_node(text)[0] or wire.Node()
    try:
        said = msgspec.json.decode(node.text, type=str)
    except msgspec.DecodeError:
        return ""
    return said if node.type == "mrkdwn" else encode(said)


def _paragraph(node: wire.Node) -> str:
    if node.type == "rich_text_list":
        return "\n".join("• " + _line(item) for item in _nodes(node.elements))
    return _line(node)


def _line(node: wire.Node) -> str:
    return "".join(map(_inline, _nodes(node.elements)))


def _inline(node: wire.Node) -> str:
    match node.type:
        case "user":
            return f"<@{node.user_id}>" if node.user_id else ""
        case "channel":
            return f"<#{node.channel_id}>" if node.channel_id else ""
        case "usergroup":
            return f"<!subteam^{node.usergroup_id}>" if node.usergroup_id else ""
        case "broadcast":
            return f"<!{node.range}>" if node.range else ""
        case "emoji":
            return f":{node.name}:" if node.name else ""
        case "link":
            return "<" + "|".join(filter(None, (encode(node.url or ""), _words(node.text)))) + ">"
        case _:
            return _words(node.text)
