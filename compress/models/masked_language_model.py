"""A pretrained model with the head that guesses masked words, as far as a folder brings its weights."""

from pathlib import Path

import torch
import transformers
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.folders import check_model_folder, check_tokenizer_files
from compress.models.silence import quiet

_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError)


def load_masked_language_model(folder: Path) -> PreTrainedModel:
    """The masked language model in `folder`: fp32, from safetensors, in evaluation mode.

    Raises: ModelError when it is no model, its family has no such head, or the folder brings no weights for it.
    """
    check_model_folder(folder)
    check_tokenizer_files(folder)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            model, found = transformers.AutoModelForMaskedLM.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False,
                output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
    except _UNREADABLE as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
        raise ModelError(f"'{folder.name}' cannot be loaded as a masked language model: {reason}.") from error
    absent = sorted([*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])])
    if absent:
        raise ModelError(
            f"'{folder.name}' has no head that guesses masked words (no weights for {absent[0]}): take the base as it "
            "was pretrained, with that head, such as a BertForMaskedLM."
        )
    loaded: PreTrainedModel = model
    loaded.train(mode=False)
    return loaded
