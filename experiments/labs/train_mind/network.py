"""The model under training, in PyTorch: log-odds of yes for every decision of a row.

The model is any that transformers calls a causal language model and that takes an attention of one's own. Of a row,
only the states at the answers are multiplied with the table of words, which would else be a fifth of the work.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.errors import ConfigError, shown
from groundlings.experiments.labs.train_mind.config import TrainingConfig
from groundlings.experiments.labs.train_mind.token_trees import Row
from groundlings.experiments.labs.train_mind.tree_attention import NAME, TreePlaces, tree_attention
from groundlings.simulator.language.adapter import BASE_NOTE, TENSORS
from groundlings.simulator.language.request_body import MOST_ALTERNATIVES
from groundlings.simulator.language.weight_encoding import sha256_of

_EXPECTED = (
    "expected a directory as transformers saves models of the Llama family (config.json, weights, tokenizer), or a "
    "GGUF file of one"
)
_LONGEST_WORDS = 300
"""Of what another library says of a file, in characters."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says after each prompt of a row.

    Attributes:
        yes, no: Log probability among all tokens, spellings added up, shape (n_decisions,).
    """

    yes: Tensor
    no: Tensor

    @property
    def log_odds(self) -> Tensor:
        """Of yes, shape (n_decisions,)."""
        return self.yes - self.no


@dataclass(frozen=True, slots=True)
class Spoken:
    """`Answers` as plain numbers.

    Attributes:
        yes, no: As there.
        readable: Whether either word is among the tokens that a server would list, shape (n_decisions,).
    """

    yes: FloatArray
    no: FloatArray
    readable: BoolArray


class Network:
    """A causal language model that answers rows.

    Args:
        model: As transformers has it, on the device.
        spellings: The tokens that are read as yes, and as no.
        precision: Of the multiplications.
    """

    def __init__(self, model: Any, spellings: tuple[IntArray, IntArray], precision: torch.dtype) -> None:
        from transformers import AttentionInterface

        self.model = model
        self.device = next(model.parameters()).device
        self._precision = precision
        AttentionInterface.register(NAME, tree_attention)
        model.set_attn_implementation(NAME)
        self._yes, self._no = (torch.from_numpy(each).to(self.device) for each in spellings)

    def answer(self, row: Row) -> Answers:
        """The answers to a row, with gradients where they are recorded."""
        return self._answer(row)[0]

    def _answer(self, row: Row) -> tuple[Answers, Tensor]:
        """The answers, and the likeliest tokens of each."""

        def there(values: Any) -> Tensor:
            return torch.from_numpy(values)[None].to(self.device)

        inner = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        with self._in_precision():
            states = inner.model(
                input_ids=there(row.tokens),
                position_ids=there(row.positions),
                places=TreePlaces(row, self.device),
                use_cache=False,
            ).last_hidden_state
            words = inner.lm_head(states[0, torch.from_numpy(row.answers).to(self.device)])
        logs = torch.log_softmax(words.float(), dim=-1)
        said = Answers(torch.logsumexp(logs[:, self._yes], dim=1), torch.logsumexp(logs[:, self._no], dim=1))
        return said, logs.topk(MOST_ALTERNATIVES, dim=-1).indices

    def say(self, row: Row) -> Spoken:
        """The answers to a row, as plain numbers."""
        self.model.eval()
        with torch.no_grad():
            said, likeliest = self._answer(row)
        words = torch.cat([self._yes, self._no])
        readable = torch.isin(likeliest, words).any(dim=1)
        yes, no = (each.double().cpu().numpy() for each in (said.yes, said.no))
        return Spoken(yes, no, readable.cpu().numpy())

    def reference(self, row: Row) -> Tensor:
        """The log-odds of yes before the training, the adapter being off, shape (n_decisions,), without gradients."""
        with torch.no_grad(), self.model.disable_adapter():
            return self._answer(row)[0].log_odds

    def loss(self, tokens: Sequence[int]) -> float:
        """Mean loss per token of a text after its first token, in nats."""
        ids = torch.tensor(list(tokens), device=self.device)
        return float(torch.nn.functional.cross_entropy(self._of_text(ids)[:-1], ids[1:]))

    def likeliest(self, tokens: IntArray) -> IntArray:
        """The likeliest token after each token of a text, all tokens before it being known, shape (n,)."""
        found: IntArray = self._of_text(torch.from_numpy(tokens).to(self.device)).argmax(dim=1).cpu().numpy()
        return found

    def _of_text(self, ids: Tensor) -> Tensor:
        """Scores of all words after each token of plain text, shape (n, n_words)."""
        self.model.eval()
        with torch.no_grad(), self._in_precision():
            return self.model(input_ids=ids[None], use_cache=False).logits[0].float()

    def _in_precision(self) -> AbstractContextManager[Any]:
        wanted = self._precision != torch.float32
        return torch.autocast(self.device.type, dtype=self._precision, enabled=wanted)


def loss_of_scene(said: Answers, real: Tensor, choice_weight: float, answer_weight: float) -> Tensor:
    """The loss of the decisions of one scene.

    That of the choice is the loss of a conditional logit (McFadden 1974) for each real item among itself and the
    others; that of the answer is minus the log probability of the right word.

    Args:
        said: What the model says.
        real: Whether the person really met the item, shape (n_decisions,).
        choice_weight, answer_weight: Of the two losses.
    """
    others, wanted = torch.logsumexp(said.log_odds[~real], dim=0), said.log_odds[real]
    choice = (torch.logaddexp(wanted, others) - wanted).mean()
    answer = -torch.where(real, said.yes, said.no).mean()
    return choice_weight * choice + answer_weight * answer


def preference_loss(log_odds: Tensor, reference: Tensor, real: Tensor, beta: float) -> Tensor:
    """The loss of Direct Preference Optimization (Rafailov et al. 2023, equation 7), mean over pairs of one scene.

    A pair is a real item and another one. The model's probability of an item in a choice is the softmax of log-odds,
    whose normaliser is the same for both and drops out of the ratio.

    Args:
        log_odds, reference: Of yes, as the model says now and as it said before, shape (n_decisions,).
        real: Whether the person really met the item, same shape.
        beta: How strongly the model is held to the reference.
    """
    gained = log_odds - reference
    apart = gained[real][:, None] - gained[~real]
    return -torch.nn.functional.logsigmoid(beta * apart).mean()


def device_of(options: TrainingConfig) -> torch.device:
    """Where to compute.

    Raises:
        ConfigError: A GPU is asked for, and PyTorch finds none.
    """
    there = torch.cuda.is_available()
    if options.device == "cuda" and not there:
        raise ConfigError(
            "training.device: found cuda, and PyTorch finds no GPU here; write auto or cpu, or install a PyTorch that "
            "knows this machine's GPU"
        )
    return torch.device("cuda" if there and options.device != "cpu" else "cpu")


def read_model(path: Path) -> tuple[Any, Any]:
    """A model in float32 and its tokenizer, from a directory or a GGUF file.

    Raises:
        ConfigError: It is neither, or no model that can be trained here.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # the lab tells of its own steps
    try:
        model, tokenizer = _read(path)
    except MemoryError:
        raise
    except Exception as error:  # each kind of damage has a kind of its own, of three libraries
        said = " ".join(str(error).split())[:_LONGEST_WORDS]
        raise ConfigError(
            f"base_model: {shown(str(path))} cannot be read as a causal language model "
            f"({type(error).__name__}: {said}); {_EXPECTED}"
        ) from error
    if not hasattr(model, "model") or not hasattr(model, "lm_head"):
        raise ConfigError(f"base_model: found a {type(model).__name__} in {shown(str(path))}; {_EXPECTED}")
    return model, tokenizer


def _read(path: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    if path.is_dir():
        return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), AutoTokenizer.from_pretrained(path)
    place = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    options = GgufConfig(dequantize=True)
    with _without_bar_of_gguf():
        model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32, quantization_config=options)
    return model, AutoTokenizer.from_pretrained(**place)


@contextmanager
def _without_bar_of_gguf() -> Iterator[None]:
    """Keep the bar of reading a GGUF file off the terminal: it heeds no setting of transformers."""
    from transformers import modeling_gguf_pytorch_utils as reading

    there: Any = reading
    bar = there.tqdm
    there.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        there.tqdm = bar


def with_adapter(model: Any, rank: int) -> Any:
    """The model with matrices of low rank beside all linear layers; only these change."""
    from peft import LoraConfig, get_peft_model

    options = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", bias="none", task_type="CAUSAL_LM")
    with warnings.catch_warnings():  # peft asks by a name that transformers has given up
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return get_peft_model(model, options)


def save_model(model: Any, tokenizer: Any, directory: Path) -> None:
    """Write a model in bfloat16 with its tokenizer, as transformers and vLLM read it; `model` itself stays as it is."""
    state = {name: values.detach().to("cpu", torch.bfloat16) for name, values in model.state_dict().items()}
    model.save_pretrained(directory, state_dict=state)
    model.config.dtype = torch.bfloat16
    model.config.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def save_adapter(model: Any, base: Path, directory: Path) -> None:
    """Write the matrices of low rank of a model in float16, in the form of PEFT.

    Args:
        model: As `with_adapter` gives it, not yet merged.
        base: What the training started from; a GGUF file's hash is noted, because matrices fit these weights alone.
        directory: Where to write.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    found = get_peft_model_state_dict(model, save_embedding_layers=False)
    notes = {"format": "pt"} | ({BASE_NOTE: sha256_of(base)} if base.is_file() else {})
    directory.mkdir(parents=True, exist_ok=True)
    values = {name: values.detach().to("cpu", torch.float16).contiguous() for name, values in found.items()}
    save_file(values, directory / TENSORS, metadata=notes)
    options = model.peft_config["default"]
    options.base_model_name_or_path = base.name  # transformers put the path of this machine there
    options.target_modules = sorted(options.target_modules)
    options.inference_mode = True
    options.save_pretrained(directory)


def precision_of(options: TrainingConfig) -> torch.dtype:
    """Of the multiplications."""
    return torch.bfloat16 if options.precision == "bfloat16" else torch.float32


def use_threads(threads: int, seed: int) -> None:
    """Set the threads of PyTorch, 0 for its own choice, and its random numbers."""
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
