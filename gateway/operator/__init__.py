"""What operators do from the command line, mostly while the gateway runs.

house.py      opens the store beside a running gateway   tokens.py     API keys
upkeep.py     migrate, prune                             letters.py    dead letters: list and replay
tracing.py    every row that touched something           sending.py    a message through the running gateway
doctor.py     what is in order and what is not

Rule: the store is opened without the lock of the serving process, and every write is one short transaction.
Rule: what cannot be done raises `Failed` with words for the person who typed the command.
"""

from gateway.operator.doctor import doctor
from gateway.operator.letters import list_dead, replay
from gateway.operator.sending import send
from gateway.operator.tokens import create_token, list_tokens, new_key, revoke_token
from gateway.operator.tracing import trace
from gateway.operator.upkeep import migrate, prune

__all__ = [
    "create_token",
    "doctor",
    "list_dead",
    "list_tokens",
    "migrate",
    "new_key",
    "prune",
    "replay",
    "revoke_token",
    "send",
    "trace",
]
