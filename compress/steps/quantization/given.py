"""What a scheme is given beside the graph: the float model with its manifest, and the stage's workspace."""

from dataclasses import dataclass

from compress.chain.artifacts import OnnxModel
from compress.chain.step import Workspace
from compress.progress import Progress


@dataclass(frozen=True)
class Given:
    """Where a scheme finds data to calibrate on, and whom it reports to."""

    workspace: Workspace
    model: OnnxModel
    """The float model; its folder holds the tokenizer. In an adapter set it has no manifest, so no scheme that
    `calibrates` is taken there."""

    @property
    def progress(self) -> Progress:
        """Of the stage."""
        return self.workspace.progress
