"""Serving an adapter set or a bundle: an engine that knows no HTTP, and the HTTP around it; never imports torch."""
