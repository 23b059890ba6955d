"""The methods of `step: prune`: one thin file a family, which says its fields and calls its knowledge room."""
