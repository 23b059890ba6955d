"""A search over the fields of a pipeline: which values give the best figures."""
