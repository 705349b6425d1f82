"""Measures the gateway against a bare aiohttp handler in the same rounds. `make bench` writes docs/benchmarks.md."""
