"""A YAML file to a validated pipeline: text, tree, variables, overrides; mistakes with their place in plain words."""
