"""What must lie in a model's folder before any of it is opened; torch-free.

Weights are read from safetensors only: a pickle can run code, so `.bin` and `.pt` files are never opened.
"""

from pathlib import Path

from compress.errors import ModelError

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
OTHER_FRAMEWORKS = ("*.h5", "*.msgpack", "*.ot")


def check_model_folder(folder: Path) -> None:
    """Raises: ModelError when `folder` has no config.json or no safetensors weights."""
    if not folder.is_dir():
        raise ModelError(f"'{folder}' is not a folder: a model is a folder with config.json, weights and tokenizer.")
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"'{folder}' is not a model: it has no config.json. Needed: config.json, model.safetensors, tokenizer.json."
        )
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"'{folder}' has its weights in {pickles[0]} only: a pickle can run code, so it is not opened. "
            "Convert it to model.safetensors on a machine you trust (load it there with transformers, then "
            "`save_pretrained`)."
        )
    others = sorted(path.name for pattern in OTHER_FRAMEWORKS for path in folder.glob(pattern))
    found = f"only {others[0]} of another framework" if others else "no weights"
    raise ModelError(f"'{folder}' has {found}: needed is model.safetensors.")


def check_tokenizer_files(folder: Path) -> None:
    """Raises: ModelError when `folder` has no tokenizer; transformers would make an empty one without a word."""
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            f"'{folder}' has no tokenizer: needed is tokenizer.json (or {', '.join(TOKENIZER_FILES[1:])}). "
            "Copy it from where the model came from."
        )
