"""The one refusal of this room: a plain graph must do."""

from compress.errors import ExportError


class NotLean(ExportError):  # noqa: N818  # it says why a plain graph must do
    """The graph is not built as those that can be rewritten."""
