"""The recipe of any model: data, network, task, quantization and hardware, as YAML checked when read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.resources import resource
from l1emu.taggers.maps import Maps, NameText
from l1emu.training.recipe import RECIPE, Hardware, InputType, PositiveCount, Recipe, TrainingPass
from l1emu.yamltext import compose, plain

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=200)]
FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=200)]
"""`module:function`."""
_Entry = Annotated[int, Field(ge=0, le=10**12)]
_Classes = Annotated[tuple[str, ...], Field(min_length=1, max_length=1000, strict=False)]


class EventFiles(Config):
    """Files that `l1emu events` reads, and how the network's inputs are made of their fields.

    Attributes
    ----------
    files
        Paths from the recipe's folder on, or globs; of one format.
    format, tree, entries
        As of `l1emu events`: by default recognised, the format's own, and all.
    of
        What a row is: `event`, an entry of the files (a jet where these are jets); or a list of an entry, such as
        `jets`, each object of which is a row; or a group of numbers of an entry, such as `jet` of JetClass, to which
        the entry's lists belong, so that features can be relative to it.
    inputs
        The feature map of each input, as of a study's taggers.
    """

    files: Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000, strict=False)]
    format: str | None = None
    tree: str | None = None
    entries: Annotated[tuple[_Entry, _Entry], Field(strict=False)] | None = None
    of: NameText = "event"
    inputs: Maps


class Data(Config):
    """Where the arrays come from, and which of them is what.

    Attributes
    ----------
    file, generator, function, events
        One of them: an npz beside the recipe; a registered generator; a function of yours that returns arrays by name;
        files of events or jets. Of these, target, weights and groups are fields of an entry or of the row.
    options
        Keyword arguments of the generator or the function.
    target
        The array of truth: the index of a class, or the values to regress; none for a reconstruction.
    weights
        The array with the weight of each row; by default all count alike.
    groups
        The array by which rows stay together in training, validation or held-out part; by default each is for itself.
    """

    file: str | None = None
    generator: Name | None = None
    function: FunctionName | None = None
    events: EventFiles | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    target: Name | None = "target"
    weights: Name | None = None
    groups: Name | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Data:
        given = [name for name in ("file", "generator", "function", "events") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"data come from one of file, generator, function and events, not from {found}")
        if self.options and (self.file is not None or self.events is not None):
            raise ValueError("files take no options")
        return self


class NetworkChoice(Config):
    """A registered builder with its sizes, or a function of yours that returns a Keras or QKeras model.

    Attributes
    ----------
    weights
        A file beside the recipe with the weights that training starts from: `float_weights.npz` of an earlier one, or
        the state_dict of a PyTorch Particle Transformer, for the builder `reference-particle-transformer`.
    """

    builder: Name | None = None
    function: FunctionName | None = None
    sizes: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> NetworkChoice:
        if (self.builder is None) == (self.function is None):
            raise ValueError("a network has either a builder or a function")
        return self


class ScoreOfClasses(Config):
    """One number of the classes' outputs: sum(of) / (sum(of) + sum(against))."""

    of: _Classes
    against: _Classes


class Task(Config):
    """What is learned.

    Attributes
    ----------
    kind
        classify: a probability for each class; regress: the target's values; reconstruct: the input itself; anomaly:
        one number, large for what is not like the normal class.
    classes
        Their names, in the order of the network's outputs; of a reconstruction, those of the target, if it has one.
    normal
        Of a reconstruction with classes: the one that it is trained on. The others are to stand out by their error. Of
        an anomaly score likewise.
    reconstructed
        Of an anomaly score: the layer that is trained to give the input again.
    latent, decoder, divergence
        Or the layer of the latent vector, from which dense layers of `decoder` units, which the firmware does not have,
        give the input again; with a `divergence` it is the mean of a variational autoencoder's, whose divergence from
        the unit normal distribution counts so much.
    loss
        A loss of Keras; by default sparse_categorical_crossentropy, or mean_squared_error.
    score
        Made of a classification's outputs.
    """

    kind: Literal["classify", "regress", "reconstruct", "anomaly"]
    classes: _Classes | None = None
    normal: str | None = None
    reconstructed: str | None = None
    latent: str | None = None
    decoder: Annotated[tuple[PositiveCount, ...], Field(strict=False, max_length=100)] = ()
    divergence: Annotated[float, Field(ge=0, le=1000)] = 0.0
    loss: (
        Literal["sparse_categorical_crossentropy", "mean_squared_error", "mean_absolute_error", "huber", "log_cosh"]
        | None
    ) = None
    score: ScoreOfClasses | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Task:
        names = self.classes or ()
        if self.kind == "classify" and len(names) < 2:
            raise ValueError("to classify takes two classes or more")
        if self.kind == "regress" and names:
            raise ValueError("a regression has no classes")
        if len(set(names)) != len(names):
            raise ValueError("two classes of one name")
        if (self.loss == "sparse_categorical_crossentropy") != (self.kind == "classify") and self.loss is not None:
            raise ValueError(f"loss {self.loss} does not go with {self.kind}")
        if (self.reconstructed is None) + (self.latent is None) != (1 if self.kind == "anomaly" else 2):
            raise ValueError("an anomaly score, and no other task, has either reconstructed or latent")
        if (self.decoder or self.divergence) and self.latent is None:
            raise ValueError("decoder and divergence belong to latent")
        if self.normal is not None and (self.kind not in ("reconstruct", "anomaly") or self.normal not in names):
            raise ValueError("normal is one of the classes of a reconstruction")
        if self.kind in ("reconstruct", "anomaly") and names and self.normal is None:
            raise ValueError(f"classes of the task {self.kind}: one of them is normal")
        if self.kind == "anomaly" and not names:
            raise ValueError("an anomaly score takes classes, one of them normal")
        if self.score is not None:
            unknown = sorted(set(self.score.of + self.score.against) - set(names))
            if self.kind != "classify" or unknown:
                raise ValueError(f"the score is of no class {', '.join(unknown)}" if unknown else "no classes to score")
        return self

    @property
    def keras_loss(self) -> str:
        """The loss, by Keras' name."""
        return self.loss or ("sparse_categorical_crossentropy" if self.kind == "classify" else "mean_squared_error")


class OutputTask(Task):
    """What one of several outputs learns.

    Attributes
    ----------
    target
        The array of truth, as `Data.target`; none for a reconstruction.
    loss_weight
        What its loss is multiplied by in the sum of all.
    """

    target: Name | None = None
    loss_weight: Annotated[float, Field(gt=0, le=1e6)] = 1.0


class GridChoice(Config):
    """`bits` in all, `integer` before the point without the sign; by default as many as are needed."""

    bits: Annotated[int, Field(ge=3, le=24)]
    integer: Annotated[int, Field(ge=0, le=16)] | None = None

    @model_validator(mode="after")
    def _has_fraction(self) -> GridChoice:
        if self.integer is not None and self.bits - self.integer < 2:
            raise ValueError("at least one fraction bit beside the sign is needed")
        return self


class LayerRule(Config):
    """What differs for some layers: the grids of weights, biases and results; of a softmax, the bits of its tables."""

    weight: GridChoice | None = None
    bias: GridChoice | None = None
    result: GridChoice | None = None
    softmax_bits: Annotated[int, Field(ge=6, le=16)] | None = None


class QuantizationRule(Config):
    """What holds for all layers."""

    weight: GridChoice
    bias: GridChoice
    result: GridChoice
    softmax_bits: Annotated[int, Field(ge=6, le=16)] = 12


class Quantization(Config):
    """How the network becomes one of fixed-point numbers.

    Attributes
    ----------
    method
        qkeras: trained on in the types; post-training: the float network's weights as they are; hgq2: the width of
        each weight and number is learned, beginning with those of the rule (in an environment of its own, extra hgq).
    input
        `ap_fixed<width, integer>` of every input value.
    inputs
        By the name of an input: its type, where it is another one.
    rule
        Of all layers; none where the network's function returns a QKeras model with quantizers of its own.
    layers
        By the name of a layer, in which * stands for any text: what differs there; of two lines the later one counts.
    beta
        Of hgq2: what a unit of EBOPs, effective bit operations, adds to the loss; by default 1e-7.
    """

    method: Literal["qkeras", "post-training", "hgq2"]
    input: InputType
    inputs: dict[Name, InputType] = Field(default_factory=dict, max_length=64)
    rule: QuantizationRule | None = None
    layers: dict[str, LayerRule] = Field(default_factory=dict, max_length=1000)
    beta: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _can_be_done(self) -> Quantization:
        if self.method == "hgq2" and (self.rule is None or self.layers):
            raise ValueError("hgq2 begins with the weight and the result of a rule of all layers, and learns the rest")
        if self.method != "hgq2" and self.beta is not None:
            raise ValueError("beta belongs to the method hgq2")
        if self.rule is None and self.layers:
            raise ValueError("layers differ from a rule: rule is missing")
        return self

    def input_type(self, name: str) -> InputType:
        """The type of the input of this name."""
        return self.inputs.get(name, self.input)


class Pruning(Config):
    """Weights that become zero.

    Attributes
    ----------
    sparsity
        Their share of each layer's weights, without biases: the smallest ones.
    layers
        Names of dense layers and convolutions, in which * stands for any text; by default all.
    """

    sparsity: Annotated[float, Field(gt=0, lt=1)]
    layers: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000, strict=False)] = ("*",)


class TrainingPasses(Config):
    """How the weights are found.

    The quantized pass is left out with a post-training quantization; the float one may be where the network starts from
    weights that it has.
    """

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    batch: PositiveCount
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    float_pass: Annotated[TrainingPass | None, Field(alias="float")] = None
    quantized: TrainingPass | None = None
    pruning: Pruning | None = None

    @model_validator(mode="after")
    def _leaves_some(self) -> TrainingPasses:
        if self.test_fraction + self.validation_fraction >= 1:
            raise ValueError("nothing is left to train on: test_fraction + validation_fraction must stay below 1")
        return self


class ModelRecipe(Config):
    """Everything that makes a model; of a network with several outputs `tasks`, by the name of the output's layer."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    description: str
    data: Data
    network: NetworkChoice
    task: Task | None = None
    tasks: Annotated[dict[Name, OutputTask], Field(min_length=2, max_length=64)] | None = None
    quantization: Quantization
    training: TrainingPasses
    hardware: Hardware

    @model_validator(mode="after")
    def _fits_together(self) -> ModelRecipe:
        if (self.quantization.method == "post-training") == (self.training.quantized is not None):
            raise ValueError("training.quantized belongs to the methods qkeras and hgq2, and to them alone")
        if self.training.float_pass is None and self.network.weights is None:
            raise ValueError("training.float is missing: a network is trained, or starts from network.weights")
        if self.quantization.method == "hgq2":
            if self.network.weights is not None:
                raise ValueError(
                    "hgq2 trains the float network from random weights: training.float, and no network.weights"
                )
            if self.training.pruning is not None:
                raise ValueError("training.pruning does not go with hgq2, which learns itself which weights are zero")
        if (self.task is None) == (self.tasks is None):
            raise ValueError("a model has either a task, or tasks by output where the network has several")
        if self.task is not None and self.data.target is None and self.task.kind != "reconstruct":
            raise ValueError(f"to {self.task.kind} takes data.target")
        for name, task in (self.tasks or {}).items():
            if task.kind == "anomaly":
                raise ValueError(f"tasks.{name}: an anomaly score is of a network with one output, as its task")
            if task.target is None and task.kind != "reconstruct":
                raise ValueError(f"tasks.{name}: to {task.kind} takes a target")
        return self

    def tasks_of(self, outputs: Sequence[str]) -> dict[str, OutputTask]:
        """The task of each of the network's outputs, in their order.

        Raises
        ------
        L1emuError
            if the recipe is about other outputs.
        """
        if self.task is not None:
            if len(outputs) != 1:
                raise L1emuError(
                    "one task for a network of several outputs",
                    where="task",
                    value=", ".join(outputs),
                    expected=f"tasks, with {', '.join(outputs)}",
                )
            return {outputs[0]: OutputTask(**dict(self.task), target=self.data.target)}
        given = self.tasks or {}
        if set(given) != set(outputs):
            raise L1emuError(
                "tasks of other outputs than the network's",
                where="tasks",
                value=", ".join(given),
                expected=", ".join(outputs),
            )
        return {name: given[name] for name in outputs}


def load_any_recipe(path: Path) -> Recipe | ModelRecipe:
    """The recipe at `path`: of any model, or with the key `architecture`, of a tagger of Level-1 jets.

    Raises
    ------
    L1emuError
        if it is absent, or at the first key that is unknown, missing or has a wrong value.
    """
    try:
        document = plain(compose(read_text(path)))
    except L1emuError as error:
        raise error.within(path) from None
    if isinstance(document, dict) and {"architecture", "types"} & document.keys():
        return load_config(path, Recipe)
    return load_config(path, ModelRecipe)


def model_recipes() -> dict[str, Path]:
    """The recipes that come with l1emu, by the name of their folder."""
    return {path.parent.name: path for path in sorted(resource("models").glob(f"*/{RECIPE}"))}
