"""Inputs for adapters in an exported graph, quantized or not: where they belong, put there, and proved against peft."""
