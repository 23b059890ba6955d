"""Training on `transformers.Trainer`; knows modules, rows and losses, not where they came from."""
