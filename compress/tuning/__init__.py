"""Which parameters train, and how: one strategy a file. Knows models, not data."""
