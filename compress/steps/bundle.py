"""`bundle`: what an edge box needs and no more."""

from typing import Literal

from compress.chain import artifacts
from compress.chain.step import Input, Step, Workspace


class Bundle(Step):
    """Put model, tokenizer and configuration together so that `load_bundle` needs nothing else."""

    step: Literal["bundle"]
    model: Input[artifacts.OnnxModel]
    """The model to ship."""

    def run(self, workspace: Workspace) -> artifacts.Bundle:
        """Link the graph, write tokenizer and configuration, and open the result once."""
        from compress.exporting.folder import write_bundle
        from compress.inference.classifier import load_bundle

        model = workspace.load(self.model)
        manifest = model.manifest
        sizes = write_bundle(model.path, workspace.out, task=manifest.task, max_length=manifest.max_length)
        load_bundle(workspace.out, threads=1).predict(["a text"])
        manifest.derived(
            kind="Bundle", step=self.step, digest=model.digest, details={**manifest.details, "files_mb": sizes}
        ).write(workspace.out)
        return artifacts.Bundle(workspace.out, "")
