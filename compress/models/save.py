"""Checkpoints, deltas and tokenizers as folders: the counterparts of `compress.models.load`.

Weights are safetensors; nothing in a folder names a place on this machine.
"""

from pathlib import Path

from peft import LoraConfig, PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.models.quantized import quantization_of, write_quantized
from compress.models.silence import quiet
from compress.models.structure import write_structure

ONE_FILE = "1000GB"


def save_checkpoint(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path, *, max_length: int
) -> None:
    """Write config.json, one model.safetensors, the tokenizer and, for a pruned model, structure.json.

    A quantized model is written as it is held.
    """
    model.config._name_or_path = ""
    how = quantization_of(model)
    with quiet():
        if how is None:
            model.save_pretrained(folder, max_shard_size=ONE_FILE)
        else:
            write_quantized(model, how, folder)
    write_structure(model, folder)
    save_tokenizer(tokenizer, folder, max_length=max_length)


def save_delta(
    delta: PeftModel, tokenizer: PreTrainedTokenizerFast, folder: Path, *, base: str, max_length: int
) -> None:
    """Write the PEFT folder: adapter_config.json, adapter_model.safetensors (head included), tokenizer.

    `base`: how the adapter's configuration calls the base.
    """
    for config in delta.peft_config.values():
        config.base_model_name_or_path = base
        assert isinstance(config, LoraConfig)
        config.target_modules = sorted(config.target_modules or ())  # a set's order changes from process to process
    with quiet():
        delta.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's unfilled template
    save_tokenizer(tokenizer, folder, max_length=max_length)


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path, *, max_length: int) -> None:
    """Write the tokenizer, without the truncation and padding that its last use left in it."""
    tokenizer.model_max_length = max_length
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    with quiet():
        tokenizer.save_pretrained(folder)
