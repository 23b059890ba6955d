"""Schemes of `quantize`, one file each."""
