"""Floor 0: the vocabulary. Pure values; no sockets, files, clocks, randomness, logging or event loop."""
