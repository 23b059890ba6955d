"""LoRA deltas as files, and sets of them on one base. Knows folders and numpy, no torch and no graph."""
