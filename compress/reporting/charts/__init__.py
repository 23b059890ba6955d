"""Geometry of the report's charts: figures in, places on a canvas out; the templates draw them as SVG."""
