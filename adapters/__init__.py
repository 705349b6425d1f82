"""Floor 1: bytes <-> envelopes. One folder per (provider, channel); adapters never import each other or the router."""
