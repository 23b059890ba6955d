"""The arithmetic of a quantized graph in PyTorch, so that a model can be trained in it."""
