"""`load_data`: labelled texts from files, a hub or a package, as a `Dataset`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from compress.chain.artifacts import Dataset
from compress.chain.manifest import DatasetManifest, SplitFacts
from compress.chain.step import Step, Workspace
from compress.frozen import Frozen
from compress.steps.sources import Source
from compress.task import Task

VALIDATION, TEST = 0.1, 0.2


class SplitOptions(Frozen):
    """How missing splits are cut from train."""

    validation: float | None = Field(default=None, ge=0, le=0.9)
    """Share of the rows; 0: none. By default 0.1 of labelled rows."""
    test: float | None = Field(default=None, ge=0, le=0.9)
    """Share of the rows; 0: none. By default 0.2 of labelled rows."""
    group: str | None = Field(default=None, min_length=1)
    """A column: rows that are equal in it (one author, one thread) stay on one side."""

    @model_validator(mode="after")
    def _leaves_train(self) -> Self:
        if (self.validation or 0) + (self.test or 0) > 0.9:
            raise ValueError("validation and test together leave less than a tenth of the rows for train")
        return self


class LoadData(Step):
    """Read texts and labels, take out what leaks between splits, cut the splits that are missing."""

    step: Literal["load_data"]
    source: Source
    """Where the rows are."""
    task: Task = "text-classification"
    """What the labels mean."""
    split: SplitOptions = SplitOptions()
    """How missing splits are cut from train, stratified and seeded."""
    rows: int | None = Field(default=None, ge=1)
    """Take at most so many rows in all, each class and split keeping its share: for a quick trial."""
    empty_text: Literal["error", "drop"] = "error"
    """What to do about rows without text: refuse the data, or leave them out and say how many."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        source, several = self.source, self.task == "multi-label-classification"
        if self.split.group is not None and not source.has_columns:
            raise ValueError(f"split.group names a column, and a '{source.kind}' source has none")
        for split in ("validation", "test"):
            if split in source.given and getattr(self.split, split):
                raise ValueError(
                    f"split.{split} is the share to cut, but the source gives a {split} split: take one out"
                )
        if source.separator is not None and not several:
            raise ValueError("label_separator is for 'task: multi-label-classification'")
        if several and source.kind == "csv" and source.labelled and source.separator is None:
            raise ValueError("multi-label-classification from a CSV needs source.label_separator, such as ';'")
        return self

    def run(self, workspace: Workspace) -> Dataset:
        """Splits as Arrow folders, and the manifest."""
        from compress.data.cutting import Cut
        from compress.data.prepare import prepare

        cut = Cut(
            validation=self._share("validation", VALIDATION), test=self._share("test", TEST),
            grouped=self.split.group is not None, rows=self.rows,
        )  # fmt: skip
        prepared = prepare(
            self.source.parts(group=self.split.group), workspace.out, task=self.task, labelled=self.source.labelled,
            text_columns=self.source.text_columns, cut=cut, seed=workspace.seed, progress=workspace.progress,
            separator=self.source.separator, drop_empty=self.empty_text == "drop",
        )  # fmt: skip
        facts = {
            name: SplitFacts(rows=one.rows, classes=one.classes, tokens=one.words, characters=one.characters)
            for name, one in prepared.splits.items()
        }
        DatasetManifest(
            task=self.task, labels=prepared.labels, labelled=self.source.labelled,
            text_columns=self.source.text_columns, splits=facts, duplicates_removed=prepared.duplicates_removed,
            label_conflicts=prepared.label_conflicts, source=self.source.title, licence=self.source.licence,
            details=prepared.details,
        ).write(workspace.out)  # fmt: skip
        return Dataset(workspace.out, digest="")  # the store knows it once everything is written

    def _share(self, split: Literal["validation", "test"], default: float) -> float:
        """What to cut of train for `split`: nothing where it is given, or where the rows are unlabelled."""
        if split in self.source.given:
            return 0.0
        wanted: float | None = getattr(self.split, split)
        return wanted if wanted is not None else default if self.source.labelled else 0.0
