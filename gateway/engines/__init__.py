"""AI engines: what answers a customer's turn. An engine is never called an agent; an agent is a human."""
