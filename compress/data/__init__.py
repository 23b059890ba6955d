"""Texts and labels: readers, duplicates, splits, Arrow folders; knows no model and no YAML."""
