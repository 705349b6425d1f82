"""Contacts: who they are, how they are reached, and undoing a link between two of them."""

from gateway.api import shapes, views
from gateway.api.base import Answer, Api, Asked
from gateway.api.problems import Problem
from gateway.directory import from_ms
from gateway.store import overview, people, reads
from gateway.store.tx import Tx
from normalizer.ids import ContactId


async def get_one(api: Api, asked: Asked[None, None]) -> Answer:
    id = ContactId(asked.path["id"])
    return _shown(await api.core.store.read(lambda tx: _view(tx, id)))


async def unmerge(api: Api, asked: Asked[None, None]) -> Answer:
    """The link goes and nothing else changes: a link was all that the merge had made."""
    id = ContactId(asked.path["id"])

    def undo(tx: Tx) -> tuple[bool, shapes.ContactView | None]:
        return people.unlink(tx, id), _view(tx, id)

    undone, view = await api.core.store.write(undo)
    if view is not None and not undone:
        raise Problem("not_linked")
    return _shown(view)


def _shown(view: shapes.ContactView | None) -> Answer:
    if view is None:
        raise Problem("not_found")
    return Answer(view)


def _view(tx: Tx, id: ContactId) -> shapes.ContactView | None:
    found = people.get_contact(tx, id)
    if found is None:
        return None
    family = overview.whole_family(tx, id)
    return shapes.ContactView(
        id=id,
        kind=found[0].kind,
        name=found[0].name,
        created_at=from_ms(found[0].created_at),
        addresses=tuple(views.address(row) for row in people.addresses_of(tx, family)),
        links=tuple(views.link(row) for row in overview.links_of_family(tx, id)),
        conversations=tuple(views.conversation(value) for value in reads.conversations_of(tx, family[0])),
    )
