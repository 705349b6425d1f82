"""THE table: every operation of the API. Routes and the OpenAPI document are made of it, and nothing else is served."""

from gateway.api import channels, contacts, conversations, letters, shapes
from gateway.api.base import Operation
from gateway.security import Scope

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET", path="/v1/conversations", id="listConversations",
        summary="Conversations, newest first.",
        scope=Scope.READ, handler=conversations.list_all, query=shapes.ConversationsQuery,
        answers={200: shapes.ConversationPage},
    ),
    Operation(
        method="GET", path="/v1/conversations/{id}", id="getConversation",
        summary="One conversation: who holds it and why, its contact, legs, and linked conversations.",
        scope=Scope.READ, handler=conversations.get_one,
        answers={200: shapes.ConversationDetail}, errors=("not_found",),
    ),
    Operation(
        method="GET", path="/v1/conversations/{id}/envelopes", id="listEnvelopes",
        summary="What was said, in the order of `seq`, whatever the channel.",
        scope=Scope.READ, handler=conversations.envelopes, query=shapes.EnvelopesQuery,
        answers={200: shapes.EnvelopePage}, errors=("not_found",),
    ),
    Operation(
        method="POST", path="/v1/conversations/{id}/messages", id="sendMessage",
        summary="An agent answers the customer, where the customer wrote last.",
        scope=Scope.WRITE, handler=conversations.send_message, body=shapes.SendMessage, key="required",
        answers={201: shapes.MessageTaken, 202: shapes.MessageTaken},
        errors=("not_found", "key_reused", "nowhere_to_reply", "cannot_send", "not_processed"),
    ),
    Operation(
        method="PUT", path="/v1/conversations/{id}/holder", id="putHolder",
        summary="Who must answer from now on, if nothing changed since `expected_epoch`.",
        scope=Scope.WRITE, handler=conversations.put_holder, body=shapes.PutHolder, key="optional",
        answers={200: shapes.HolderTaken, 202: shapes.HolderTaken},
        errors=("not_found", "conflict", "engine_down", "key_reused", "not_processed"),
    ),
    Operation(
        method="GET", path="/v1/contacts/{id}", id="getContact",
        summary="A person or group: addresses, links to contacts that are the same person, conversations.",
        scope=Scope.READ, handler=contacts.get_one,
        answers={200: shapes.ContactView}, errors=("not_found",),
    ),
    Operation(
        method="POST", path="/v1/contacts/{id}/unmerge", id="unmergeContact",
        summary="Undo the link of this contact to another one, exactly.",
        scope=Scope.WRITE, handler=contacts.unmerge,
        answers={200: shapes.ContactView}, errors=("not_found", "not_linked"),
    ),
    Operation(
        method="GET", path="/v1/dead", id="listDead",
        summary="What was given up: inbound that could not be processed, and commands that ended without success.",
        scope=Scope.READ, handler=letters.list_dead, query=shapes.DeadQuery,
        answers={200: shapes.DeadPage},
    ),
    Operation(
        method="POST", path="/v1/dead/{id}/replay", id="replayDead",
        summary="Put it back to work. What had its effect already has none again.",
        scope=Scope.ADMIN, handler=letters.replay_one,
        answers={200: shapes.Replayed}, errors=("not_found", "already_replayed", "bytes_gone"),
    ),
    Operation(
        method="GET", path="/v1/orphans", id="listOrphans",
        summary="Receipts, reactions, edits and revokes whose message never came.",
        scope=Scope.READ, handler=letters.list_orphans, query=shapes.PageQuery,
        answers={200: shapes.OrphanPage},
    ),
    Operation(
        method="GET", path="/v1/channels/{id}/health", id="getChannelHealth",
        summary="Whether the provider takes our credentials, what waits to be sent, and what failed lately.",
        scope=Scope.READ, handler=channels.health,
        answers={200: shapes.ChannelHealth}, errors=("not_found",),
    ),
    Operation(
        method="GET", path="/v1/queues", id="listQueues",
        summary="Where conversations wait for an agent.",
        scope=Scope.READ, handler=channels.queues,
        answers={200: shapes.QueueList},
    ),
)  # fmt: skip
