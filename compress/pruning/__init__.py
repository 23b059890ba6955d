"""What makes a model smaller by taking parts of it away: one method a file.

Knows models and arrays, no YAML and no step.
"""
