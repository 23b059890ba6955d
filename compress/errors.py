"""Every error that a user can meet.

CompressError                    one message that says where, what was found, what was needed, what to do
├── ConfigurationError           the pipeline file, an option or an argument: exit 2, nothing was run
│   └── MissingExtraError        a library of an extra is not installed; names the extra
├── StoreError                   the store or the runs folder cannot be read or written
└── StepError                    a stage failed: exit 4
    ├── DataError                rows, columns, labels, encodings
    ├── ModelError               a base or checkpoint that cannot be used
    ├── TrainingError            the loss is not a number, nothing to train
    ├── ExportError              the graph is not what it should be
    ├── QuantizationError        nothing, or not everything, was quantized
    ├── AdapterError             a delta or an adapter set that cannot be used
    └── MeasurementError         figures that cannot be taken
"""


class CompressError(Exception):
    """The root: whatever the command line shows as a message instead of a traceback."""


class ConfigurationError(CompressError):
    """One or more mistakes in what the user wrote, each a complete sentence, all at once."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class MissingExtraError(ConfigurationError):
    """A library that belongs to an extra is missing."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"'{library}' is not installed: pip install 'compress-pipeline[{extra}]' brings it.")
        self.library, self.extra = library, extra


class StoreError(CompressError):
    """The store or the runs folder cannot be read or written."""


class StepError(CompressError):
    """A stage failed while it ran."""


class DataError(StepError):
    """The data cannot be used: where it is wrong, and what to do about it."""


class ModelError(StepError):
    """A base model or checkpoint cannot be used."""


class TrainingError(StepError):
    """Training cannot start or cannot go on."""


class ExportError(StepError):
    """A graph could not be made, or does not answer as the model does."""


class QuantizationError(StepError):
    """Nothing was quantized, or something was left that should not have been."""


class AdapterError(StepError):
    """A delta or an adapter set that cannot be used: which one, what is wrong, what to do."""


class MeasurementError(StepError):
    """A figure could not be taken."""
