"""The sandbox: a gateway beside simulated providers on one machine, and a page to try it on: `throughline demo`.

demo.py      its configuration         host.py    runs the simulator: its calls, its webhooks
phones.py    what customers do         screen.py  what they see
api.py       the JSON API              page.py    the page and its files (static/)
memory.py    what outlives a restart   remote.py  scripts it from a shell

Rule: the gateway knows nothing of it: it is called and called back over HTTP, with signatures and tokens, as by the
real provider.
Rule: it shows the key of its API to whoever reaches it, so it listens on loopback and lets no foreign page in.
"""

from gateway.sandbox.attach import attach
from gateway.sandbox.demo import demo_config

__all__ = ["attach", "demo_config"]
