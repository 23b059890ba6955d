"""Fewer bits a weight, with the proof that all that should be quantized was."""
