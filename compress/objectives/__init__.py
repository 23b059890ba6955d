"""One loss a file: plain functions on tensors; know no model, no step and no YAML."""
