"""Tests; they mirror `compress/`."""
