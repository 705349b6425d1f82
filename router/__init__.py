"""Floor 1: decisions. Values in, values out."""
