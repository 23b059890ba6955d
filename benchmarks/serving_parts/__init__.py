"""What `benchmarks/serving.py` is made up of."""
