"""Typed steps, artifacts, the content-addressed store and gates; knows no model, no data and no YAML."""
