"""Where a Keras model and its firmware part: by which layer and quantizer, and how much is rounding, overflow or table.

For each layer of the firmware, Keras' own numbers, rounded to what the layer's input can hold, go through the firmware
layer and through the Keras layer. What differs is this layer's own doing. It is split by substitution: the firmware
layer runs again without overflow of its accumulators, then without overflow of its result, without rounding of its
accumulators, and without rounding of its result; each step's change is that cause's. What is left to Keras after the
last step comes from a look-up table, or from weights that were rounded or do not fit their type.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow import keras

from l1emu.arraytypes import Floats
from l1emu.emulator.passes.relax import nearest, run_relaxed
from l1emu.emulator.relax import Relaxed
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Raw
from l1emu.layers import (
    BatchNormalization,
    ClippedLine,
    Dense,
    Embedding,
    HalfTable,
    Layer,
    Linear,
    Lookup,
    Relu,
    SlopedRelu,
    Softmax,
    TableActivation,
    Tensor,
)
from l1emu.layers import Steps as Staircase
from l1emu.training.steps import KerasStep, KerasSteps, load_model
from l1emu.verification.compare import check_made_up

_CHUNK = 500  # jets at a time
_NOISE = 4e-6  # of a layer's largest value: Keras adds in single precision
_SMALL = 1e-3

_ACCUMULATOR_OVERFLOW, _RESULT_OVERFLOW, _WEIGHT_OVERFLOW = (
    "accumulator overflow",
    "result overflow",
    "weights out of range",
)
_ACCUMULATOR_ROUNDING, _RESULT_ROUNDING, _WEIGHT_ROUNDING = "accumulator rounding", "result rounding", "weights rounded"
_TABLE, _QUANTIZER, _OTHER = "table", "quantizer left out", "other"
_CLASSES = {
    "overflow": (_ACCUMULATOR_OVERFLOW, _RESULT_OVERFLOW, _WEIGHT_OVERFLOW),
    "rounding": (_ACCUMULATOR_ROUNDING, _RESULT_ROUNDING, _WEIGHT_ROUNDING),
    "table": (_TABLE,),
    "quantizer left out": (_QUANTIZER,),
    "other": (_OTHER,),
}
_LADDER = (
    (_ACCUMULATOR_OVERFLOW, Relaxed(True)),
    (_RESULT_OVERFLOW, Relaxed(True, True)),
    (_ACCUMULATOR_ROUNDING, Relaxed(True, True, True)),
    (_RESULT_ROUNDING, Relaxed(True, True, True, True)),
)
_ACTIVATIONS = (ClippedLine, HalfTable, Linear, Lookup, Relu, SlopedRelu, Softmax, Staircase, TableActivation)


@dataclass
class Spread:
    """How far two sets of numbers are apart: the largest and the mean difference, the share of numbers that differ."""

    max: float = 0.0
    mean: float = 0.0
    share: float = 0.0
    values: int = 0

    def add(self, a: Floats, b: Floats) -> None:
        """Count one more chunk of both."""
        difference = _differences(a, b)
        total = self.values + difference.size
        self.max = max(self.max, float(difference.max(initial=0.0)))
        self.mean = (self.mean * self.values + float(difference.sum())) / total
        self.share = (self.share * self.values + float((difference > 0).sum())) / total
        self.values = total


def _differences(a: Floats, b: Floats) -> Floats:
    """Magnitudes of the differences; those within single precision's noise are none."""
    difference = np.abs(a.reshape(len(a), -1) - b.reshape(len(b), -1))
    noise = _NOISE * max(float(np.max(np.abs(b), initial=0.0)), _SMALL)
    return np.where(difference > noise, difference, 0.0)


@dataclass
class LayerComparison:
    """One layer of the firmware beside its layers in Keras.

    Attributes
    ----------
    layer, kind, type
        Of the firmware: the layer, its kind, the type of its result.
    keras, quantizers
        The steps of the Keras model that it computes, and their quantizers.
    total
        Firmware against Keras, both from the same inputs of the model.
    own
        Firmware layer against Keras layer, both from Keras' numbers before it: what this layer adds.
    causes
        Mean magnitude of each cause's part of `own`.
    effect
        How far the model's outputs move, on average, when this layer alone is the firmware's.
    note
        What is noteworthy about its weights.
    """

    layer: str
    kind: str
    type: str
    keras: list[str]
    quantizers: list[str]
    total: Spread = field(default_factory=Spread)
    own: Spread = field(default_factory=Spread)
    causes: dict[str, float] = field(default_factory=dict)
    effect: float = 0.0
    note: str = ""

    @property
    def cause(self) -> str:
        """The largest cause, or nothing."""
        return max(self.causes, key=lambda name: self.causes[name], default="")

    def shares(self) -> dict[str, float]:
        """Each cause's share of this layer's own difference."""
        total = sum(self.causes.values())
        return {name: size / total for name, size in self.causes.items()}


@dataclass
class AgainstKeras:
    """What `against_keras` found.

    Attributes
    ----------
    jets, layers
        How many jets were compared, and the comparison of each layer, in the firmware's order.
    outputs
        Of the model's outputs, firmware against Keras.
    shares
        Each class of causes' share of what the layers do to the outputs, each layer by itself.
    content_hash
        Of the firmware.
    """

    jets: int
    layers: list[LayerComparison]
    outputs: Spread
    shares: dict[str, float]
    content_hash: str

    @property
    def first(self) -> LayerComparison | None:
        """The first layer whose own numbers differ from Keras', of those that move the outputs if any does."""
        found = [layer for layer in self.layers if layer.own.share > 0]
        return next((layer for layer in found if layer.effect > 0), found[0] if found else None)

    @property
    def worst(self) -> LayerComparison | None:
        """The layer that moves the outputs most."""
        found = [layer for layer in self.layers if layer.effect > 0]
        return max(found, key=lambda layer: layer.effect, default=None)

    @property
    def conclusion(self) -> str:
        """One sentence."""
        first, worst = self.first, self.worst
        if first is None:
            return f"Firmware and Keras agree in every layer, over {self.jets} jets."
        where = f"layer {first.layer} ({first.cause}, {first.type})"
        if worst is None:
            return (
                f"Firmware and Keras agree in every output, over {self.jets} jets; they part in {where}, to no effect."
            )
        parts = ", ".join(f"{100 * share:.0f} % {name}" for name, share in self.shares.items() if share >= 0.005)
        return (
            f"Firmware and Keras part first in {where}; the outputs differ by {self.outputs.mean:.3g} on average "
            f"({self.outputs.max:.3g} at most): {parts}, most of it from layer {worst.layer} "
            f"({worst.cause}, {worst.type})."
        )


@dataclass(eq=False)
class _Group:
    """A tensor of the firmware, and the Keras steps that compute it."""

    steps: list[int]
    tensor: Tensor
    layer: Layer | None  # None for an input
    copy: bool = False  # a layer of the firmware's own, which does to Keras' numbers nothing but change their type
    segment: tuple[Layer, ...] = ()
    reads: dict[str, int] = field(default_factory=dict)  # the Keras step by the tensor before the segment


def against_keras(
    firmware: Firmware,
    model: str | os.PathLike[str] | keras.Model,
    *,
    inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    jets: int = 500,
    seed: int = 1,
    advance: Callable[[int], None] | None = None,
) -> AgainstKeras:
    """Compare a firmware with the Keras model that it was converted from, layer by layer.

    Parameters
    ----------
    firmware
        What was synthesized.
    model
        The model, or where it lies; see `l1emu.training.steps.load_model`.
    inputs
        An array (jets, ...), or arrays by the firmware's input names. Give real ones: the answer depends on them. By
        default Gaussian numbers of unit width, in steps of the input's type.
    jets, seed
        How many jets to make up, and how.
    advance
        Called with a number of jets after they were compared.

    Raises
    ------
    L1emuError
        if the model cannot be loaded, or a layer of it has no counterpart in the firmware.
    """
    loaded = model if isinstance(model, keras.Model) else load_model(model)
    steps = KerasSteps(loaded)
    groups = _match(firmware, steps)
    given = _inputs(firmware, inputs, jets, seed)
    count = len(next(iter(given.values())))
    outputs = [next(i for i, g in enumerate(groups) if g.tensor.name == t.name) for t in _behind(firmware, groups)]
    ends = [groups[i].steps[-1] for i in outputs]
    found = [_begin(steps, group) for group in groups]
    total_output = Spread()
    for start in range(0, count, _CHUNK):
        chunk = {name: x[start : start + _CHUNK] for name, x in given.items()}
        n = len(next(iter(chunk.values())))
        weight = n / count
        mine = reference.run(firmware, {t.name: t.type.from_float(chunk[t.name]) for t in firmware.inputs})
        floats = [chunk[groups[i].tensor.name] for i in range(len(steps.inputs))]
        values = steps.run([x.reshape(n, *_shape(steps.steps[i])) for i, x in enumerate(floats)])
        for group, row in zip(groups, found, strict=True):
            ideal, free = values[group.steps[-1]], group.tensor.type.to_float(mine[group.tensor.name])
            row.total.add(free, ideal)
            local, alone = _attribute(steps, group, values, row, weight)
            row.own.add(local, alone)
            if _differences(local, alone).any():
                # the Keras path with this layer's own difference in it
                moved = (ideal.reshape(n, -1) + (local - alone.reshape(n, -1))).reshape(ideal.shape)
                after = steps.run([], {group.steps[-1]: moved}, values)
                apart = [_differences(after[end], values[end]) for end in ends]
                row.effect += weight * float(np.mean(np.concatenate(apart, axis=1)))
        for index, end in zip(outputs, ends, strict=True):
            tensor = groups[index].tensor
            total_output.add(tensor.type.to_float(mine[tensor.name]), values[end])
        if advance is not None:
            advance(n)
    return AgainstKeras(count, found, total_output, _class_shares(found), firmware.content_hash)


def _class_shares(rows: Sequence[LayerComparison]) -> dict[str, float]:
    effects = sum(row.effect for row in rows)
    shares = dict.fromkeys(_CLASSES, 0.0)
    for row in rows:
        for name, share in row.shares().items():
            cls = next(cls for cls, names in _CLASSES.items() if name in names)
            shares[cls] += row.effect * share / effects if effects > 0 else 0.0
    return {name: share for name, share in sorted(shares.items(), key=lambda item: -item[1]) if share > 0}


def _begin(steps: KerasSteps, group: _Group) -> LayerComparison:
    parts = [steps.steps[i] for i in group.steps if not steps.steps[i].passes]
    quantizers = [text for step in parts for text in step.quantizers]
    name, kind = (group.tensor.name, "input") if group.layer is None else (group.layer.name, group.layer.kind)
    return LayerComparison(name, kind, str(group.tensor.type), [step.name for step in parts], quantizers)


def _attribute(
    steps: KerasSteps, group: _Group, values: list[Floats], row: LayerComparison, weight: float
) -> tuple[Floats, Floats]:
    """The firmware's and Keras' values from the same numbers; the causes of their difference go into `row`."""
    ideal = values[group.steps[-1]]
    n = len(ideal)
    if group.layer is None:
        local = group.tensor.type.to_float(group.tensor.type.from_float(ideal)).reshape(n, -1)
        clipped = group.tensor.type.to_float(nearest(group.tensor.type, ideal)).reshape(n, -1)
        flat = ideal.reshape(n, -1)
        inside = (flat >= group.tensor.type.to_float(group.tensor.type.low)) & (
            flat < group.tensor.type.to_float(group.tensor.type.high + 1)
        )
        rounded = np.where(inside, local, clipped)
        _count(row, _RESULT_OVERFLOW, local, rounded, weight)
        _count(row, _RESULT_ROUNDING, np.where(inside, rounded, flat), flat, weight)
        _count(row, _RESULT_OVERFLOW, np.where(inside, flat, rounded), flat, weight)
        return local, flat
    before: dict[str, tuple[Tensor, Raw]] = {}
    replaced: dict[int, Floats] = {}
    for name, source in group.reads.items():
        tensor = next(t for layer in group.segment for t in layer.inputs if t.name == name)
        raw = nearest(tensor.type, values[source]).reshape(n, *tensor.shape)
        before[name] = (tensor, raw)
        replaced[source] = tensor.type.to_float(raw).reshape(values[source].shape)
    alone = _keras(steps, group, values, replaced).reshape(n, -1)
    local = run_relaxed(group.segment, before, Relaxed()).reshape(n, -1)
    quantizer = steps.steps[group.steps[-1]].quantizer

    def on_grid(x: Floats) -> Floats:
        if quantizer is None:
            return x
        return np.asarray(quantizer(x.astype(np.float32)), dtype=np.float64)

    if not _differences(local, alone).any():
        return local, alone
    previous = on_grid(local)
    _count(row, _QUANTIZER, local, previous, weight)
    for cause, how in _LADDER:
        following = on_grid(run_relaxed(group.segment, before, how).reshape(n, -1))
        _count(row, cause, previous, following, weight)
        previous = following
    if _differences(previous, alone).any():
        cause, row.note = _rest(steps, group)
        _count(row, cause, previous, alone, weight)
    return local, alone


def _count(row: LayerComparison, cause: str, a: Floats, b: Floats, weight: float) -> None:
    size = weight * float(np.mean(_differences(a, b)))
    if size > 0:
        row.causes[cause] = row.causes.get(cause, 0.0) + size


def _keras(steps: KerasSteps, group: _Group, values: list[Floats], replaced: dict[int, Floats]) -> Floats:
    """The Keras steps of a group from replaced sources."""
    if group.copy:
        return replaced[group.steps[-1]]
    known = dict(replaced)
    for i in group.steps:
        step = steps.steps[i]
        known[i] = step.run([known.get(s, values[s]) for s in step.sources])
    return known[group.steps[-1]]


def _rest(steps: KerasSteps, group: _Group) -> tuple[str, str]:
    """What the difference that no type of accumulator or result explains comes from."""
    tables = [found for layer in group.segment for found in _tables(layer)]
    if tables:
        return _TABLE, "; ".join(f"{len(table)} entries of {kind}" for table, kind in tables)
    held = next((layer for layer in group.segment if layer.holds == "weights"), None)
    parts = [steps.steps[i] for i in group.steps]
    if isinstance(held, Staircase) and any(part.kind.endswith("BatchNormalization") for part in parts):
        return _WEIGHT_ROUNDING, f"thresholds in steps of {held.inputs[0].type}"
    numbers = [] if held is None else _numbers(held, parts)
    for what, array, kind in numbers:
        if _outside(array, kind).any():
            low, high = kind.to_float(kind.low), kind.to_float(kind.high)
            reach = f"from {array.min():.4g} to {array.max():.4g}, {kind} from {low:.4g} to {high:.4g}"
            return _WEIGHT_OVERFLOW, f"{int(_outside(array, kind).sum())} of {array.size} {what} out of range: {reach}"
    for what, array, kind in numbers:
        off = np.abs(kind.to_float(kind.from_float(array)) - array) > 1e-6 * np.maximum(np.abs(array), _SMALL)
        if off.any():
            return _WEIGHT_ROUNDING, f"{int(off.sum())} of {array.size} {what} between the steps of {kind}"
    return _OTHER, "equal weights: the layers themselves differ" if numbers else ""


def _numbers(layer: Layer, steps: Sequence[KerasStep]) -> list[tuple[str, Floats, FixedPoint]]:
    """What Keras' numbers in a layer are called, the numbers, and the type that the firmware has for them."""
    last = steps[-1].layer
    match layer:
        case Dense() | BatchNormalization():
            kind = layer.weight_type if isinstance(layer, Dense) else layer.scale_type
            weights = _effective_weights(steps)
            return [] if weights is None else [("weights", weights[0], kind), ("biases", weights[1], layer.bias_type)]
        case Embedding():
            return [("weights", np.asarray(last.get_weights()[0], dtype=np.float64), layer.table_type)]
        case SlopedRelu() if hasattr(last, "theta"):
            return [("thresholds", np.atleast_1d(np.asarray(last.theta, dtype=np.float64)), layer.inputs[0].type)]
        case SlopedRelu():  # LeakyReLU and its kin have one, PReLU a weight for each number
            slopes = last.get_weights()[0] if last.get_weights() else getattr(last, "alpha", 0.0)
            return [("slopes", np.atleast_1d(np.asarray(slopes, dtype=np.float64)), layer.slope_type)]
        case ClippedLine() if getattr(getattr(last, "activation", None), "__name__", "") == "hard_sigmoid":
            line = (("slopes", 0.2, layer.slope_type), ("shifts", 0.5, layer.shift_type))  # as Keras 2 has it
            return [(name, np.array([number]), kind) for name, number, kind in line]
        case _:  # of functions with steps or bends at whole numbers
            return []


def _tables(layer: Layer) -> list[tuple[npt.NDArray[np.int64], FixedPoint]]:
    names = [field.name for field in fields(layer) if field.name.endswith("table")] if layer.holds == "tables" else []
    found = [(getattr(layer, name), getattr(layer, f"{name}_type")) for name in names]
    return [(table, kind) for table, kind in found if len(table)]


def _outside(array: Floats, kind: FixedPoint) -> npt.NDArray[np.bool_]:
    """Which numbers an assignment to `kind` would move by a whole step or more."""
    moved: npt.NDArray[np.bool_] = np.abs(kind.to_float(kind.from_float(array)) - array) > 1.0001 * 2.0**-kind.fraction
    return moved


def _effective_weights(steps: Sequence[KerasStep]) -> tuple[Floats, Floats] | None:
    """Weights and biases as Keras computes with them: quantized, times the batch normalization fused into them."""
    weights: tuple[Floats, Floats] | None = None
    for step in steps:
        layer, kind = step.layer, type(step.layer).__name__
        if step.part == "activation" or not layer.weights:
            continue
        if kind.endswith("BatchNormalization"):
            arrays = dict(
                zip((w.name.split("/")[-1].split(":")[0] for w in layer.weights), layer.get_weights(), strict=True)
            )
            scale = arrays.get("gamma", 1.0) / np.sqrt(arrays["moving_variance"] + layer.epsilon)
            shift = arrays.get("beta", 0.0) - scale * arrays["moving_mean"]
            w, b = weights if weights is not None else (np.ones_like(scale), np.zeros_like(scale))
            weights = (np.asarray(w * scale, dtype=np.float64), np.asarray(b * scale + shift, dtype=np.float64))
        elif hasattr(layer, "kernel") and weights is None:
            kernel, bias = layer.kernel, getattr(layer, "bias", None)
            for name in ("kernel_quantizer_internal", "bias_quantizer_internal"):
                quantizer = getattr(layer, name, None)
                if quantizer is not None and name.startswith("kernel"):
                    kernel = quantizer(kernel)
                elif quantizer is not None and bias is not None:
                    bias = quantizer(bias)
            held = np.asarray(kernel, dtype=np.float64)
            offset = np.zeros(held.shape[-1]) if bias is None else np.asarray(bias, dtype=np.float64)
            weights = (held, offset)
        else:
            return None
    return weights


def _match(firmware: Firmware, steps: KerasSteps) -> list[_Group]:
    """Which tensor of the firmware is which of the model's."""
    groups: list[_Group] = []
    at: dict[int, int] = {}
    order = {layer.name: i for i, layer in enumerate(firmware.layers)}
    by_name = {layer.name: layer for layer in firmware.layers}
    tensors = {tensor.name: tensor for tensor in firmware.inputs}
    if len(steps.inputs) != len(firmware.inputs):
        raise L1emuError(
            "model and firmware differ in their inputs", value=len(steps.inputs), expected=str(len(firmware.inputs))
        )
    taken: set[str] = set()
    for i, step in enumerate(steps.steps):
        if i in steps.inputs:
            tensor = tensors.get(step.name, firmware.inputs[steps.inputs.index(i)])
            at[i] = len(groups)
            groups.append(_Group([i], tensor, None))
            continue
        if step.passes and step.name not in by_name:
            at[i] = at[step.sources[0]]
            continue
        found = [name for name in _names(step, by_name) if name not in taken]
        if found:
            for number, name in enumerate(sorted(found, key=lambda name: order[name])):
                taken.add(name)
                at[i] = len(groups)
                groups.append(_Group([i], by_name[name].output, by_name[name], number > 0))
            continue
        source = at[step.sources[0]] if len(step.sources) == 1 else -1
        readers = [s for s in steps.steps if len(step.sources) == 1 and step.sources[0] in s.sources]
        if source < 0 or groups[source].layer is None or len(readers) != 1 or not step.joins:
            names = ", ".join(by_name)
            raise L1emuError(
                "this layer of the model has no counterpart in the firmware",
                where=f"layer {step.name}",
                value=step.kind,
                expected=f"one of {names[:200]}",
            )
        groups[source].steps.extend([*_between(steps, groups[source], step), i])
        at[i] = source
    known = {group.tensor.name for group in groups}
    for group in groups:
        if group.layer is not None:
            _segment(firmware, steps, groups, group, at, known)
    return groups


def _between(steps: KerasSteps, group: _Group, step: KerasStep) -> list[int]:
    """The passing steps between a group and a step that joins it."""
    chain: list[int] = []
    s = step.sources[0]
    while s not in group.steps:
        chain.insert(0, s)
        s = steps.steps[s].sources[0]
    return chain


def _names(step: KerasStep, known: Mapping[str, Layer]) -> list[str]:
    """The names that hls4ml may give to what a step computes."""
    name = step.layer.name
    if step.part == "activation":
        return [n for n, layer in known.items() if n.startswith(f"{name}_") and isinstance(layer, _ACTIVATIONS)][:1]
    if (scaled := known.get(f"{name}_alpha", known.get(f"{name}_pointwise"))) is not None:
        return [scaled.name]
    return [n for n in (name, f"{name}_linear") if n in known]


def _segment(
    firmware: Firmware, steps: KerasSteps, groups: list[_Group], group: _Group, at: dict[int, int], known: set[str]
) -> None:
    """The firmware's layers from the tensors that are known in Keras to the group's."""
    writer = {layer.output.name: layer for layer in firmware.layers}
    needed: list[str] = [group.tensor.name]
    inside: set[str] = set()
    edges: set[str] = set()
    while needed:
        name = needed.pop()
        if name in known and name != group.tensor.name:
            edges.add(name)
        elif name not in inside:
            inside.add(name)
            needed += [tensor.name for tensor in writer[name].inputs]
    group.segment = tuple(layer for layer in firmware.layers if layer.output.name in inside)
    if group.copy:
        group.reads = {groups[groups.index(group) - 1].tensor.name: group.steps[-1]}
    else:
        outer = [s for i in group.steps for s in steps.steps[i].sources if s not in group.steps]
        group.reads = {groups[at[s]].tensor.name: s for s in outer}
    if set(group.reads) != edges:
        raise L1emuError(
            "model and firmware are connected differently",
            where=f"layer {group.layer.name if group.layer else ''}",
            value=", ".join(sorted(edges)),
            expected=", ".join(sorted(group.reads)),
        )


def _behind(firmware: Firmware, groups: list[_Group]) -> list[Tensor]:
    """The known tensors that the firmware's outputs are, or from which they are copied."""
    writer = {layer.output.name: layer for layer in firmware.layers}
    known = {group.tensor.name for group in groups}
    found = []
    for tensor in firmware.outputs:
        while tensor.name not in known:
            tensor = writer[tensor.name].inputs[0]
        found.append(tensor)
    return found


def _shape(step: KerasStep) -> tuple[int, ...]:
    shape: Any = step.layer.input_shape
    shape = shape[0] if isinstance(shape, list) else shape
    return tuple(int(n) for n in shape[1:])


def _inputs(
    firmware: Firmware, inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None, jets: int, seed: int
) -> dict[str, Floats]:
    """Inputs by name, float64 of shape (jets, *shape)."""
    if inputs is None:
        check_made_up(jets, seed)
        rng = np.random.default_rng(seed)
        drawn = {t.name: rng.normal(0, 1, (jets, *t.shape)) for t in firmware.inputs}
        return {t.name: t.type.to_float(nearest(t.type, drawn[t.name])) for t in firmware.inputs}
    names = [tensor.name for tensor in firmware.inputs]
    given = dict(inputs) if isinstance(inputs, Mapping) else {names[0]: inputs}
    if sorted(given) != sorted(names):
        raise L1emuError("the inputs' names do not fit", value=sorted(given), expected=", ".join(names))
    arrays: dict[str, Floats] = {}
    for tensor in firmware.inputs:
        x = np.asarray(given[tensor.name], dtype=np.float64)
        if x.ndim < 2 or len(x) == 0 or x.size != len(x) * tensor.size or not np.isfinite(x).all():
            expected = f"(jets, {', '.join(map(str, tensor.shape))}), finite"
            raise L1emuError("an input does not fit", where=tensor.name, value=x.shape, expected=expected)
        arrays[tensor.name] = x.reshape(len(x), *tensor.shape)
    if len({len(x) for x in arrays.values()}) != 1:
        raise L1emuError("the inputs hold different numbers of jets", value=[len(x) for x in arrays.values()])
    return arrays
