"""The only place that calls `from_pretrained` for models and tokenizers.

Knows folders, tasks and labels; no artifact and no store. Weights are fp32 and come from safetensors.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import transformers
from peft import PeftModel
from safetensors import SafetensorError
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from compress.errors import ModelError
from compress.models.folders import check_model_folder, check_tokenizer_files
from compress.models.heads import mark_new, pooler_name, renew_head, set_head
from compress.models.narrow_table import narrow_table
from compress.models.quantized import (
    Quantization,
    QuantizedLayers,
    quantize_layers,
    read_quantized,
)
from compress.models.rebuild import rebuild
from compress.models.silence import quiet
from compress.models.structure import read_structure
from compress.task import Task

_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError)


def load_base(folder: Path, *, task: Task, labels: Sequence[str], seed: int = 0) -> PreTrainedModel:
    """A pretrained encoder with a new head for `labels`, fp32, its config saying task and labels.

    A base that already has a head for exactly these labels, in this order, keeps it; any other head is drawn anew.

    `seed`: of the new head's weights; the caller's random state is left alone.

    Raises: ModelError when it is not a model, has no tokenizer, no sequence classification class, or other shapes.
    """
    check_model_folder(folder)
    check_tokenizer_files(folder)
    config = _config(folder)
    _refuse_quantized(folder, config, "a base is given in full precision (`quantized_base: nf4` holds it in 4 bits)")
    keeps_head = config.id2label == dict(enumerate(labels))
    set_head(config, task=task, labels=labels)
    model, missing, mismatched = _load(folder, config, seed=seed)
    _check_new(folder, model, missing)
    _check_shapes(folder, model, mismatched)
    renewed = () if keeps_head else renew_head(model, seed=seed)
    mark_new(model, [*{*missing, *mismatched, *renewed}])
    return model


def load_quantized_base(
    folder: Path,
    how: Quantization,
    *,
    task: Task,
    labels: Sequence[str],
    seed: int = 0,
    compute: torch.dtype = torch.float32,
) -> tuple[PreTrainedModel, QuantizedLayers]:
    """The same with its linear layers quantized, and which they are; of their float weights nothing stays in memory.

    Args:
        folder: of the base in full precision.
        how: in how many bits.
        task: as for `load_base`.
        labels: likewise.
        seed: likewise.
        compute: the format of nf4's products, and on a machine with a GPU of the embedding table.

    Raises: ModelError as `load_base` and `quantize_layers` do.
    """
    model = load_base(folder, task=task, labels=labels, seed=seed)
    layers = quantize_layers(model, how, compute=compute)
    if compute != torch.float32 and torch.cuda.is_available():
        narrow_table(model, compute)
    return model, layers


def load_checkpoint(folder: Path, *, to_answer: bool = False) -> PreTrainedModel:
    """The model of a Checkpoint folder: fp32, in evaluation mode, exactly as it was saved, pruned or not.

    Args:
        folder: of the artifact.
        to_answer: nothing is done with it but to ask it, so that it may be one that bitsandbytes quantized: such
            weights cannot be changed, trained or exported.

    Raises: ModelError when it cannot be loaded whole, or is quantized and not only `to_answer`.
    """
    check_model_folder(folder)
    config = _config(folder)
    if to_answer and (how := Quantization.of_config(config, folder)) is not None:
        return _load_quantized(folder, config, how)
    _refuse_quantized(folder, config, "its weights cannot be changed, trained or exported")
    model, missing, mismatched = _load(folder, config, seed=0)
    if missing or mismatched:
        raise ModelError(
            f"'{folder}' is not a whole checkpoint: no fitting weights for {_some([*missing, *mismatched])}."
        )
    model.train(mode=False)
    return model


def load_delta(
    folder: Path, *, base_folder: Path, task: Task, labels: Sequence[str], quantized: Quantization | None = None
) -> PeftModel:
    """A LoRA delta on its base, unmerged, in evaluation mode.

    Args:
        folder: of the delta.
        base_folder: of the pretrained model in full precision.
        task: of the delta.
        labels: of the delta.
        quantized: how the base is held; None: in full precision.

    Raises: ModelError when base or delta cannot be loaded, or do not belong together.
    """
    if not (folder / "adapter_config.json").is_file() or not (folder / "adapter_model.safetensors").is_file():
        raise ModelError(
            f"'{folder}' is not a LoRA delta: needed are adapter_config.json and adapter_model.safetensors."
        )
    if quantized is None:
        base = load_base(base_folder, task=task, labels=labels)
    else:
        base, _ = load_quantized_base(base_folder, quantized, task=task, labels=labels)
    try:
        with quiet():
            delta = PeftModel.from_pretrained(base, str(folder), local_files_only=True)
    except _UNREADABLE as error:
        raise ModelError(
            f"'{folder}' does not fit the base '{base_folder}': {_first_line(error)}. "
            "Use the base that it was trained on."
        ) from error
    delta.eval()
    return delta


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer in `folder`.

    Raises: ModelError when there is none, it has no fast form, or it cannot pad.
    """
    check_tokenizer_files(folder)
    try:
        with quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except _UNREADABLE as error:
        raise ModelError(f"'{folder}': the tokenizer cannot be read: {_first_line(error)}.") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(f"'{folder}': {type(tokenizer).__name__} has no fast form (tokenizer.json), which is needed.")
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"'{folder}': the tokenizer has no padding token, so texts cannot be batched: set `pad_token`."
        )
    return tokenizer


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Raises: ModelError when the tokenizer makes ids that the model has no embedding for."""
    rows = model.get_input_embeddings().weight.size(0)  # type: ignore[operator]
    most = max(tokenizer.get_vocab().values(), default=0)
    if most >= rows:
        raise ModelError(
            f"the tokenizer has ids up to {most}, the model embeddings for {rows}: they do not belong together."
        )


def _config(folder: Path) -> PretrainedConfig:
    try:
        with quiet():
            config: PretrainedConfig = transformers.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except _UNREADABLE as error:
        raise ModelError(f"'{folder}' is not a model that transformers knows: {_first_line(error)}.") from error
    if type(config) not in transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise ModelError(
            f"'{folder}' is a '{config.model_type}', which has no sequence classification class in transformers: "
            "use an encoder such as BERT, RoBERTa, DistilBERT or MPNet."
        )
    return config


def _refuse_quantized(folder: Path, config: PretrainedConfig, why: str) -> None:
    """Raises: ModelError when the folder holds no weights in full precision."""
    how = Quantization.of_config(config, folder)
    if how is not None:
        raise ModelError(
            f"'{folder}' is quantized to {how.bits} by bitsandbytes: {why}. Take the model that it was made of."
        )


def _load_quantized(folder: Path, config: PretrainedConfig, how: Quantization) -> PreTrainedModel:
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            model = read_quantized(folder, config, how)
    except (*_UNREADABLE, ModelError) as error:
        raise ModelError(f"'{folder}' is no whole quantized model: {_first_line(error)}.") from error
    model.config._name_or_path = ""
    model.train(mode=False)
    return model


def _load(folder: Path, config: PretrainedConfig, *, seed: int) -> tuple[PreTrainedModel, list[str], list[str]]:
    """The model, and the names of parameters that were missing and that had other shapes."""
    structure = read_structure(folder)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model, missing, mismatched = (
                _load_plain(folder, config) if structure is None else rebuild(folder, config, structure)
            )
    except _UNREADABLE as error:
        raise ModelError(f"'{folder}' cannot be loaded: {_first_line(error)}.") from error
    model.config._name_or_path = ""
    return model, missing, mismatched


def _load_plain(folder: Path, config: PretrainedConfig) -> tuple[PreTrainedModel, list[str], list[str]]:
    """The same, for a model whose shape config.json says."""
    model, found = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
        trust_remote_code=False, output_loading_info=True, ignore_mismatched_sizes=True,
    )  # fmt: skip
    return model, sorted(found["missing_keys"]), sorted(name for name, *_ in found["mismatched_keys"])


def _check_new(folder: Path, model: PreTrainedModel, missing: Sequence[str]) -> None:
    """Only the head and a pooler may be missing."""
    pooler = pooler_name(model)
    inside = [name for name in missing if name.startswith(f"{model.base_model_prefix}.")]
    lost = [name for name in inside if pooler is None or not name.startswith(f"{pooler}.")]
    if lost:
        raise ModelError(
            f"'{folder}': the weights are not those of a {type(model).__name__}: nothing for {_some(lost)}. "
            "Check that config.json and model.safetensors belong together."
        )


def _check_shapes(folder: Path, model: PreTrainedModel, mismatched: Sequence[str]) -> None:
    """Only a head of other labels may have another shape."""
    inside = [name for name in mismatched if name.startswith(f"{model.base_model_prefix}.")]
    if inside:
        raise ModelError(
            f"'{folder}': config.json and weights disagree about the shape of {_some(inside)}. "
            "Check that they belong together."
        )


def _some(names: Iterable[str]) -> str:
    """The first names of many."""
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__
