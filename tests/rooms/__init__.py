"""The three rooms together: real store, real adapters, a provider and an engine that do as the test says."""
