"""Adapters, each against its provider's documents and its own simulator."""
