"""Floor 2: all IO; composes the rest."""
