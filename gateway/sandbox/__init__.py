"""The sandbox: a gateway beside simulated providers on one machine, and a page to try it on: `throughline demo`.

demo.py     its configuration                     attach.py  hangs it beside a gateway
stage.py    all places and people.py              place.py   what a place is, and how it presents itself
host.py     the first telephone's provider        phones.py, screen.py, memory.py  its customers, what they see and keep
texts.py    text messages    chat.py  a workspace    mailbox.py, smtp.py, imap.py  mails    calls.py, relays.py  calls
keeping.py  what the other places keep
courier.py  webhooks on their way                 news.py    who waits for what
api.py      the JSON API, places.py every place's part of it       page.py  the page and its files (static/)
remote.py   scripts it from a shell, with caller.py and remote_places.py

Rule: the gateway knows nothing of it: it is called and called back over HTTP, with signatures and tokens, as by the
real provider.
Rule: it shows the key of its API to whoever reaches it, so it listens on loopback and lets no foreign page in.
"""

from gateway.sandbox.attach import attach
from gateway.sandbox.demo import demo_config

__all__ = ["attach", "demo_config"]
