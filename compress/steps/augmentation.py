"""`augmentation` of `distill`: ways of changing the training texts, told apart by `kind`; the teacher answers them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from compress.chain.artifacts import Dataset
from compress.chain.digests import Digests
from compress.chain.key import key_of
from compress.chain.manifest import DatasetManifest, SplitFacts
from compress.chain.outside import ModelSource
from compress.chain.step import Workspace
from compress.errors import StepError
from compress.frozen import Frozen

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from compress.distillation.augmentation.rows import Recipe
    from compress.distillation.augmentation.words import Rewrite

TRAIN = "train"
Copies = Annotated[int, Field(ge=1, le=100)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Mask(Frozen):
    """Words hidden or deleted, each with a probability (Tang et al. 2019; EDA, Wei & Zou 2019)."""

    kind: Literal["mask"]
    """How texts are changed."""
    share: Share = 0.1
    """Probability with which a word is hidden."""
    by: Literal["token", "deletion"] = "token"
    """`token`: the mask token stands in its place; `deletion`: the word is left out."""
    copies: Copies = 1
    """Changed rows made of each training row."""


class Cutoff(Frozen):
    """A run of neighbouring words cut out (span cutoff, Shen et al. 2020)."""

    kind: Literal["cutoff"]
    """How texts are changed."""
    share: Share = 0.1
    """Of the text's words that the run has; at least one word."""
    copies: Copies = 1
    """Changed rows made of each training row."""


class Swap(Frozen):
    """Words that change places (EDA, Wei & Zou 2019)."""

    kind: Literal["swap"]
    """How texts are changed."""
    share: Share = 0.1
    """Swaps for each word of the text; at least one."""
    copies: Copies = 1
    """Changed rows made of each training row."""


class MaskedLanguageModel(Frozen):
    """Words replaced by what a masked language model finds likely (TinyBERT, Jiao et al. 2020)."""

    kind: Literal["masked_language_model"]
    """How texts are changed."""
    base: ModelSource
    """A pretrained model with the head that guesses words: a path, `package:NAME/FOLDER` or `hub:ORG/NAME@REVISION`."""
    share: Share = 0.15
    """Probability with which a word is replaced."""
    candidates: int = Field(default=15, ge=1, le=1000)
    """How many of the likeliest words the replacement is drawn from, each as probable."""
    copies: Copies = 1
    """Changed rows made of each training row."""


Augmentation = Annotated[Mask | Cutoff | Swap | MaskedLanguageModel, Field(discriminator="kind")]


def augmented(
    said: Sequence[Augmentation],
    data: Dataset,
    workspace: Workspace,
    *,
    tokenizers: "Sequence[PreTrainedTokenizerFast]",
    max_length: int,
) -> Dataset:
    """Further rows without labels, made of `data`'s training rows once and kept in the store.

    Args:
        said: at least one.
        data: whose train split is changed.
        workspace: whose seed decides, whose store keeps them.
        tokenizers: of all models that will read them; they must share a mask token that is written into texts.
        max_length: tokens of a text that matter.

    Raises: StepError, ModelError: when it cannot be done with these models; DataError: when nothing was changed.
    """
    mask = _mask_token(tokenizers) if any(isinstance(one, Mask) and one.by == "token" for one in said) else None
    recipes = [one.model_dump(mode="json") | _read(one) for one in said]
    about = {
        "what": "augmented rows", "version": 1, "data": data.digest, "split": TRAIN, "seed": workspace.seed,
        "recipes": recipes, "mask": mask, "max_length": max_length,
    }  # fmt: skip
    digest = key_of(about)

    def build(folder: Path) -> None:
        from compress.data.rows import load_split
        from compress.distillation.augmentation.rows import write_augmented

        made = write_augmented(
            load_split(data.path, TRAIN), folder / TRAIN, [_recipe(one, mask, max_length) for one in said],
            seed=workspace.seed, fingerprint=digest[:16], progress=workspace.progress,
        )  # fmt: skip
        DatasetManifest(
            task=data.manifest.task, labels=(), labelled=False, text_columns=data.manifest.text_columns,
            splits={TRAIN: SplitFacts(rows=sum(made.values()))}, source=f"augmented {data.manifest.source}",
            licence=data.manifest.licence, details={"rows": made},
        ).write(folder)  # fmt: skip

    return Dataset(workspace.cached(about, build), digest)


def _mask_token(tokenizers: "Sequence[PreTrainedTokenizerFast]") -> str:
    """Raises: StepError: when the models have not one mask token in common."""
    tokens = {one.mask_token for one in tokenizers}
    if None in tokens or len(tokens) > 1:
        found = " and ".join(sorted("none" if token is None else f"'{token}'" for token in tokens))
        raise StepError(
            f"augmentation (mask): teacher and student must have the same mask token, found {found}: "
            "write `by: deletion`, which leaves the words out."
        )
    return str(tokens.pop())


def _read(one: Augmentation) -> dict[str, Any]:
    """What it reads from outside, by content."""
    return {"base": Digests().folder(one.base.resolve())} if isinstance(one, MaskedLanguageModel) else {}


def _recipe(one: Augmentation, mask: str | None, max_length: int) -> "Recipe":
    from compress.distillation.augmentation.rows import Recipe

    return Recipe(one.kind, _rewrite(one, mask, max_length), one.copies)


def _rewrite(one: Augmentation, mask: str | None, max_length: int) -> "Rewrite":
    from compress.distillation.augmentation.cutoff import cut_off
    from compress.distillation.augmentation.mask import masked
    from compress.distillation.augmentation.swap import swapped
    from compress.distillation.augmentation.words import each

    match one:
        case Mask(share=share, by=by):
            token = mask if by == "token" else None
            return each(lambda words, random: masked(words, share=share, mask=token, random=random))
        case Cutoff(share=share):
            return each(lambda words, random: cut_off(words, share=share, random=random))
        case Swap(share=share):
            return each(lambda words, random: swapped(words, share=share, random=random))
        case MaskedLanguageModel():
            return _replacer(one, max_length)


def _replacer(one: MaskedLanguageModel, max_length: int) -> "Rewrite":
    from compress.distillation.augmentation.masked_language_model import WordReplacer
    from compress.models.load import load_tokenizer
    from compress.models.masked_language_model import load_masked_language_model
    from compress.models.positions import most_tokens

    folder = one.base.resolve()
    model = load_masked_language_model(folder)
    most = most_tokens(model.config.to_dict())
    return WordReplacer(
        model, load_tokenizer(folder), share=one.share, candidates=one.candidates,
        max_length=max_length if most is None else min(most, max_length),
    )  # fmt: skip
