"""Compare three ways to run a project, layer by layer: its own C++, the integer reference, the compiled emulator."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.child import Limits
from l1emu.emulator.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware, reference
from l1emu.layers import LayerNormalization, Tensor
from l1emu.notebook import Shown
from l1emu.verification.csim import CSim

_MOST_MADE_UP = 1_000_000
"""Jets that are made up at most: all of them are held in memory."""
CHUNK = 500  # jets compared at a time; a trace of every layer is large

_Inputs = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class LayerDifference:
    """The first value that differs: in the first layer, in execution order, that has one.

    Parameters
    ----------
    layer, kind
        The layer's name and kind; ``input`` for the assignment of the floats to the input's type.
    against
        What differs from the C++: ``reference`` or ``emulator``.
    tensor, type
        The C++ variable and its type.
    inputs, jet
        The set of inputs and the number of the jet in it.
    index
        The place in the tensor of that jet.
    cpp, ours
        The raw integers.
    count
        How many values of this layer differ, over all inputs.
    """

    layer: str
    kind: str
    against: str
    tensor: str
    type: str
    inputs: str
    jet: int
    index: tuple[int, ...]
    cpp: int
    ours: int
    count: int

    def __str__(self) -> str:
        place = ", ".join(map(str, self.index))
        return (
            f"the {self.against} differs from the C++ first in layer {self.layer} ({self.kind}), {self.count} values: "
            f"{self.tensor}[{place}] of jet {self.jet} ({self.inputs} inputs) is {self.cpp} in C++, {self.ours} in "
            f"the {self.against}; type {self.type}"
        )


@dataclass(frozen=True)
class Verification(Shown):
    """The outcome of `verify`.

    Parameters
    ----------
    identical
        Whether no value differs.
    values, layers
        How many values of the C++ were compared, in how many layers (inputs aside).
    jets
        Jets by set of inputs.
    compared
        What was compared with the C++: ``reference``, ``emulator``.
    first_difference
        See `LayerDifference`; None if identical.
    content_hash
        Of the firmware that was compared.
    csim_jets_per_second, seconds
        The speed of the C simulation with tracing, and the time that all took.
    unset_is_zero
        Whether the C++ reads numbers that it never sets, and was built with 0 for them.
    """

    identical: bool
    values: int
    layers: int
    jets: dict[str, int]
    compared: tuple[str, ...]
    first_difference: LayerDifference | None
    content_hash: str
    csim_jets_per_second: float
    seconds: float
    unset_is_zero: bool = False

    def __str__(self) -> str:
        if self.first_difference is not None:
            return str(self.first_difference)
        note = " (with 0 for the numbers that the C++ reads and never sets)" if self.unset_is_zero else ""
        return f"identical: {self.values} values in {self.layers} layers{note}"


def verify(
    project: str | os.PathLike[str],
    *,
    jets: int = 2000,
    inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    seed: int = 1,
    firmware: Firmware | None = None,
    optimization: str = "-O1",
    limits: Limits | None = None,
    advance: Callable[[int], None] | None = None,
    unknown: str = "refuse",
) -> Verification:
    """Build a project's C++, run it, and compare every layer with the reference and the emulator.

    The C++ runs with the rights of this user, within `limits`: verify only projects that you trust.

    Parameters
    ----------
    project
        An hls4ml project folder.
    jets
        How many jets to make up: random, extreme, equal rows, and out of range (also infinite). A few more hold NaN:
        those are compared with the reference alone, as the emulator refuses NaN.
    inputs
        Inputs of your own in addition: an array (jets, ...), or arrays by input name.
    seed
        Of the made-up inputs.
    firmware
        What to compare with the C++; by default it is read from the project.
    optimization
        The compiler's optimization level.
    limits
        What the compiler and the C++ may take.
    advance
        Called with a number of jets after they were compared.
    unknown
        As for `Firmware.read`, where the project is read.

    Raises
    ------
    L1emuError
        if the project cannot be read or compiled, the inputs do not fit, or the C++ crashes or exceeds its limits.
    """
    begin = time.perf_counter()
    fw = Firmware.read(project, unknown=unknown, limits=limits) if firmware is None else firmware
    unset = leaves_unset(fw)
    sets = input_sets(fw, jets, seed, inputs)
    csim = CSim(project, optimization=optimization, unset_is_zero=unset, limits=limits, firmware=fw)
    check_tensors(fw, csim)
    comparison, seconds = _Comparison(fw), 0.0
    for count, took in _compared(fw, csim, sets, comparison):
        seconds += took
        if advance is not None:
            advance(count)
    counts = {name: len(next(iter(arrays.values()))) for name, arrays in sets.items()}
    speed = sum(counts.values()) / seconds
    return comparison.outcome(counts, fw.content_hash, speed, time.perf_counter() - begin, unset)


def leaves_unset(firmware: Firmware) -> bool:
    """Whether the C++ reads numbers that it never sets, so that it has to be built with 0 for them."""
    return any(isinstance(layer, LayerNormalization) and not layer.centred for layer in firmware.layers)


def input_sets(
    fw: Firmware, jets: int, seed: int, inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None
) -> dict[str, _Inputs]:
    """What is made up, and the user's own inputs as the set `user`, inside an embedding's table.

    Returns
    -------
    dict
        For each set, float64 arrays (jets, *shape) by input name.

    Raises
    ------
    L1emuError
        if the inputs do not fit, or as `check_made_up` does.
    """
    sets = made_up_inputs(fw.inputs, jets, seed)
    own = {} if inputs is None else _user_inputs(fw, inputs)
    for name, given in own.items():
        _check_limits(fw, name, given)
    for tensor in fw.inputs:  # beyond the limits the C++ reads what happens to lie there
        if tensor.name in fw.limits:
            low, high = tensor.type.to_float(np.array(fw.limits[tensor.name]))
            for arrays in sets.values():
                arrays[tensor.name] = np.clip(np.nan_to_num(arrays[tensor.name]), low, high)
    return sets | ({"user": own} if own else {})


def _compared(
    fw: Firmware, csim: CSim, sets: Mapping[str, _Inputs], comparison: _Comparison
) -> Iterator[tuple[int, float]]:
    """Compare chunk after chunk: how many jets it has, and the seconds that the C++ took for it."""
    emulator = Emulator(fw)
    for name, arrays in sets.items():
        for start in range(0, len(next(iter(arrays.values()))), CHUNK):
            chunk = {key: x[start : start + CHUNK] for key, x in arrays.items()}
            count = len(next(iter(chunk.values())))
            cpp = csim.trace(chunk)
            raw = {t.name: t.type.from_float(chunk[t.name]) for t in fw.inputs}
            comparison.add("reference", name, start, cpp, reference.run(fw, raw))
            if not any(np.isnan(x).any() for x in chunk.values()):
                traced = emulator.trace(chunk)
                found = {layer.output.name: traced[layer.name] for layer in fw.layers}
                comparison.add("emulator", name, start, cpp, found)
            yield count, count / csim.jets_per_second


def check_made_up(jets: int, seed: int) -> None:
    """Check that so many jets can be made up, from such a seed.

    Raises
    ------
    L1emuError
        if not.
    """
    if not 1 <= jets <= _MOST_MADE_UP:
        raise L1emuError("there must be jets to compare", value=jets, expected=f"1 or more, up to {_MOST_MADE_UP:,}")
    if seed < 0:
        raise L1emuError("not a seed", value=seed, expected="0 or more")


def made_up_inputs(tensors: tuple[Tensor, ...], jets: int, seed: int) -> dict[str, _Inputs]:
    """Sets of inputs: random, extreme, equal rows, out of range, NaN; about `jets` jets in all.

    Returns
    -------
    dict
        For each set, float64 arrays (jets, *shape) by input name.

    Raises
    ------
    L1emuError
        as `check_made_up` does.
    """
    check_made_up(jets, seed)
    rng = np.random.default_rng(seed)
    counts = {"random": (jets + 1) // 2, "extreme": jets // 4, "equal rows": jets // 8}
    counts["out of range"] = jets - sum(counts.values())
    counts["NaN"] = min(20, counts["out of range"])
    makers = {
        "random": _random,
        "extreme": _extreme,
        "equal rows": _equal_rows,
        "out of range": _out_of_range,
        "NaN": _nan,
    }
    return {
        name: {tensor.name: makers[name](rng, tensor, count) for tensor in tensors}
        for name, count in counts.items()
        if count > 0
    }


def _step(tensor: Tensor) -> float:
    return float(2.0**-tensor.type.fraction)


def _random(rng: np.random.Generator, tensor: Tensor, jets: int) -> npt.NDArray[np.float64]:
    """Half on the grid over the whole range, half Gaussian of many widths and between grid points."""
    on_grid = rng.integers(tensor.type.low, tensor.type.high, (jets, *tensor.shape), endpoint=True) * _step(tensor)
    scale = float(tensor.type.high) * _step(tensor) * 10.0 ** rng.uniform(-3, 0, (jets, *(1 for _ in tensor.shape)))
    between = rng.normal(0, 1, (jets, *tensor.shape)) * scale
    half = np.arange(jets).reshape(jets, *(1 for _ in tensor.shape)) % 2 == 0
    return np.where(half, on_grid, between)


def _extreme(rng: np.random.Generator, tensor: Tensor, jets: int) -> npt.NDArray[np.float64]:
    """The type's limits, one and half a step beside them, and zero: constant jets first, then mixtures."""
    low, high = tensor.type.low, tensor.type.high
    special = np.array([0, low, high, low + 1, high - 1, low - 1, high + 1, 1, -1, low - 0.5, high + 0.5, 0.5, -0.5])
    raw = rng.choice(special, (jets, *tensor.shape))
    for i in range(min(jets, len(special))):
        raw[i] = special[i]
    # jets of the two limits alone drive the accumulators furthest
    limits = rng.choice(np.array([low, high]), (jets, *tensor.shape))
    use = (np.arange(jets) >= len(special)) & (np.arange(jets) % 2 == 1)
    return np.where(use.reshape(jets, *(1 for _ in tensor.shape)), limits, raw) * _step(tensor)


def _equal_rows(rng: np.random.Generator, tensor: Tensor, jets: int) -> npt.NDArray[np.float64]:
    """Every row of a jet (or every number, of a flat input) the same."""
    row = (jets, *(1 for _ in tensor.shape[:-1]), tensor.shape[-1] if len(tensor.shape) > 1 else 1)
    raw = rng.integers(tensor.type.low, tensor.type.high, row, endpoint=True)
    return np.broadcast_to(raw * _step(tensor), (jets, *tensor.shape)).copy()


def _out_of_range(rng: np.random.Generator, tensor: Tensor, jets: int) -> npt.NDArray[np.float64]:
    """Up to 10 powers of ten beyond the range, and now and then 1e300, infinity or the smallest numbers."""
    high = float(tensor.type.high + 1) * _step(tensor)
    x = rng.normal(0, 1, (jets, *tensor.shape)) * high * 10.0 ** rng.uniform(0, 10, (jets, *tensor.shape))
    special = np.array([1e300, -1e300, np.inf, -np.inf, 5e-324, -5e-324, -0.0, 2.0**62, -(2.0**63)])
    return np.where(rng.random(x.shape) < 0.05, rng.choice(special, x.shape), x)


def _nan(rng: np.random.Generator, tensor: Tensor, jets: int) -> npt.NDArray[np.float64]:
    """Random numbers with one NaN of either sign in each jet, which the C++ takes for a huge number."""
    x = _random(rng, tensor, jets)
    flat = x.reshape(jets, -1)
    flat[np.arange(jets), rng.integers(0, tensor.size, jets)] = rng.choice([np.nan, -np.nan], jets)
    return flat.reshape(x.shape)


def _user_inputs(fw: Firmware, inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike]) -> _Inputs:
    names = [tensor.name for tensor in fw.inputs]
    given = dict(inputs) if isinstance(inputs, Mapping) else {names[0]: inputs}
    if sorted(given) != sorted(names):
        raise L1emuError("the inputs' names do not fit", value=sorted(given), expected=", ".join(names))
    arrays: _Inputs = {}
    for tensor in fw.inputs:
        try:
            x = np.asarray(given[tensor.name], dtype=np.float64)
        except (TypeError, ValueError):
            raise L1emuError("an input is not an array of numbers", where=tensor.name) from None
        if x.ndim < 2 or len(x) == 0 or x.size != len(x) * tensor.size:
            expected = f"(jets, {', '.join(map(str, tensor.shape))})"
            raise L1emuError("an input has the wrong shape", where=tensor.name, value=x.shape, expected=expected)
        arrays[tensor.name] = x.reshape(len(x), *tensor.shape)
    if len({len(x) for x in arrays.values()}) != 1:
        raise L1emuError("the inputs hold different numbers of jets", value=[len(x) for x in arrays.values()])
    return arrays


def _check_limits(fw: Firmware, name: str, given: npt.NDArray[np.float64]) -> None:
    """Refuse a user's numbers beyond what an embedding's table has: the C++ reads other memory there."""
    if name not in fw.limits:
        return
    kind = next(tensor.type for tensor in fw.inputs if tensor.name == name)
    low, high = fw.limits[name]
    raw = kind.from_float(given)
    wrong = np.isnan(given) | (raw < low) | (raw > high)
    if wrong.any():
        jet = int(np.argwhere(wrong)[0][0])
        first, last = kind.to_float(np.array([low, high]))
        raise L1emuError(
            "an index beyond the table of an embedding",
            where=f"{name}, jet {jet}",
            value=float(given[wrong][0]),
            expected=f"{first:g} to {last:g}",
        )


def check_tensors(fw: Firmware, csim: CSim) -> None:
    """The firmware must be of this project: same inputs, outputs and variables."""
    variables = {v.name: v for v in (*csim.inputs, *csim.variables)}
    ours = {t.name: t for t in (*fw.inputs, *(layer.output for layer in fw.layers))}
    for name in (*(t.name for t in fw.inputs), *(t.name for t in fw.outputs)):
        if name not in variables:
            raise L1emuError("the firmware is not of this project: no such variable in its C++", value=name)
    for name, variable in variables.items():
        if name not in ours:
            raise L1emuError("the firmware is not of this project: it lacks a variable of its C++", value=name)
        if variable.size != ours[name].size or variable.type != ours[name].type:
            raise L1emuError(
                f"the firmware is not of this project: {name} has another type or size",
                value=f"{ours[name].type}, {ours[name].size}",
                expected=f"{variable.type}, {variable.size}",
            )


class _Comparison:
    """Gathers differences; the first one is that of the earliest layer."""

    def __init__(self, fw: Firmware) -> None:
        inputs = [(t.name, "input", t) for t in fw.inputs]
        self._steps = inputs + [(layer.name, layer.kind, layer.output) for layer in fw.layers]
        self._inputs = len(inputs)
        self._found: dict[tuple[int, str], LayerDifference] = {}
        self._seen: set[str] = set()
        self.values = 0

    @property
    def layers(self) -> int:
        """Layers that were compared."""
        return sum(step[2].name in self._seen for step in self._steps[self._inputs :])

    def add(self, against: str, inputs: str, start: int, cpp: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
        """Compare one chunk, whose first jet is number `start` of the set `inputs`."""
        for position, (name, kind, tensor) in enumerate(self._steps):
            if tensor.name not in cpp or tensor.name not in ours:
                continue  # a reshape has no variable of its own in C++; the emulator traces no inputs
            a = np.asarray(cpp[tensor.name]).reshape(-1, *tensor.shape)
            b = np.asarray(ours[tensor.name]).reshape(-1, *tensor.shape)
            if against == "reference":
                self.values += a.size
                self._seen.add(tensor.name)
            wrong = a != b
            count = int(wrong.sum())
            if count == 0:
                continue
            earlier = self._found.get((position, against))
            if earlier is not None:
                self._found[position, against] = replace(earlier, count=earlier.count + count)
                continue
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            self._found[position, against] = LayerDifference(
                name,
                kind,
                against,
                tensor.name,
                str(tensor.type),
                inputs,
                start + place[0],
                place[1:],
                int(a[place]),
                int(b[place]),
                count,
            )

    def outcome(
        self, jets: dict[str, int], content_hash: str, speed: float, seconds: float, unset_is_zero: bool
    ) -> Verification:
        """What was found, with what else is to be told of the run."""
        return Verification(
            self.first() is None,
            self.values,
            self.layers,
            jets,
            ("reference", "emulator"),
            self.first(),
            content_hash,
            speed,
            seconds,
            unset_is_zero,
        )

    def first(self) -> LayerDifference | None:
        """The difference of the earliest layer; of two in one layer, the reference's."""
        if not self._found:
            return None
        return self._found[min(self._found, key=lambda key: (key[0], key[1] != "reference"))]
