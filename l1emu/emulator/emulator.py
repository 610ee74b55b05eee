"""`Emulator`: a firmware compiled for this machine, exact to the last bit."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1emu import debug
from l1emu.compiled import compile_for
from l1emu.cores import cores
from l1emu.emulator.cache import module_from_source
from l1emu.emulator.exact.assembler import Program
from l1emu.emulator.explain import Explanation, explain
from l1emu.emulator.interval import Ranges
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.interpret import execute
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import VectorProgram, plan
from l1emu.emulator.quantize import compile_quantize, quantize_into
from l1emu.emulator.vector import features as processor
from l1emu.emulator.vector.context import narrow_inputs
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.layers import Tensor
from l1emu.notebook import html_facts

_LANES = 64  # jets side by side in the exact kernels: a row of int64 is then 512 bytes
_CHUNK = 1024  # jets quantized, emulated and written at a time: memory does not grow with the batch
_PROFILE_RUNS = 50  # of which the fastest counts, layer by layer: others may use the core too
_TARGETS = ("simd", "portable", "exact")

_Inputs = ArrayLike | Mapping[str, ArrayLike]


_T = TypeVar("_T", bound=np.generic)


class _Runnable(Protocol):
    """A program and the kernels that run it."""

    results: tuple[Tensor, ...]
    takes_floats: bool  # in place of raw integers, if they are simple

    def prepare(self) -> Callable[[NDArray[Any], NDArray[np.int64]], bool]:
        """A function (raw, out) with a workspace of its own; whether it did it: floats may need more care."""

    def compile(self, raw: NDArray[Any]) -> None:
        """Compile what runs on such an array, of which only the type matters."""

    def arithmetic(self, ranges: Ranges) -> dict[str, str]:
        """What each layer is computed with, by its name."""

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        """Seconds a jet of each layer on one core at its fastest, by its name, and of loading and storing."""


class _Exact:
    """The exact kernels alone."""

    takes_floats = False

    def __init__(self, program: Program) -> None:
        self.program, self.results = program, program.results

    def prepare(self) -> Callable[[NDArray[Any], NDArray[np.int64]], bool]:
        program, work = self.program, np.zeros(self.program.rows * _LANES, np.int64)

        def run(raw: NDArray[Any], out: NDArray[np.int64]) -> bool:
            execute(work, program.table, program.code, program.starts, _LANES, raw, out, program.out_rows)
            return True

        return run

    def compile(self, raw: NDArray[Any]) -> None:
        program, work = self.program, np.zeros(_LANES, np.int64)
        out = np.empty((len(raw), len(program.out_rows)), np.int64)
        compile_for(execute, work, program.table, program.code, program.starts, _LANES, raw, out, program.out_rows)

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        program, work = self.program, np.zeros(self.program.rows * _LANES, np.int64)
        out = np.empty((len(raw), len(program.out_rows)), np.int64)
        spent: dict[str, float] = {}
        nothing, nowhere = program.out_rows[:0], out[:, :0]
        for name, start in zip(program.layers, program.starts, strict=True):
            one, least = np.array([start], program.starts.dtype), math.inf
            for _ in range(_PROFILE_RUNS // 5):
                begin = time.perf_counter()
                execute(work, program.table, program.code, one, _LANES, raw, nowhere, nothing)
                least = min(least, time.perf_counter() - begin)
            spent[name] = spent.get(name, 0.0) + least / len(raw)
        return spent

    def arithmetic(self, ranges: Ranges) -> dict[str, str]:
        return {
            name: f"int64 (needs {found.widest})" if found.widest else "no arithmetic"
            for name, found in ranges.layers.items()
        }


class _Packed:
    """Kernels written for this firmware, with the exact ones where these are needed."""

    def __init__(self, program: VectorProgram) -> None:
        self.program, self.results, self.takes_floats = program, program.results, program.takes_floats
        self._execute = module_from_source(program.name(program.source), program.source).execute
        self._constants = _aligned(program.constants)

    def prepare(self) -> Callable[[NDArray[Any], NDArray[np.int64]], bool]:
        exact = self.program.exact
        work = np.zeros(exact.rows * processor.LANES, np.int64)
        vectors = _aligned(np.zeros(self.program.vectors * processor.LANES, np.int32))

        def run(raw: NDArray[Any], out: NDArray[np.int64]) -> bool:
            return not self._execute(vectors, self._constants, work, exact.table, exact.code, raw, out)

        return run

    def compile(self, raw: NDArray[Any]) -> None:
        exact, work, vectors = self.program.exact, np.zeros(1, np.int64), np.zeros(1, np.int32)
        out = np.empty((len(raw), sum(t.size for t in self.results)), np.int64)
        compile_for(self._execute, vectors, self._constants, work, exact.table, exact.code, raw, out)

    def arithmetic(self, ranges: Ranges) -> dict[str, str]:
        return self.program.arithmetic

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        program, exact = self.program, self.program.exact
        execute = module_from_source(program.name(program.profiled), program.profiled).execute
        work = np.zeros(exact.rows * processor.LANES, np.int64)
        vectors = _aligned(np.zeros(program.vectors * processor.LANES, np.int32))
        out = np.empty((len(raw), sum(t.size for t in program.results)), np.int64)
        spent = np.zeros(len(program.stages), np.int64)

        least, seconds, ticks = np.full(len(spent), np.iinfo(np.int64).max), 0.0, 0
        execute(vectors, self._constants, work, exact.table, exact.code, raw, out, spent)  # compiled
        for _ in range(_PROFILE_RUNS):
            spent[:] = 0
            begin = time.perf_counter()
            execute(vectors, self._constants, work, exact.table, exact.code, raw, out, spent)
            seconds += time.perf_counter() - begin
            ticks += int(spent.sum())
            least = np.minimum(least, spent)
        return dict(zip(program.stages, (least * (seconds / ticks / len(raw))).tolist(), strict=True))


def _aligned(array: NDArray[np.int32]) -> NDArray[np.int32]:
    """A copy that starts at a cache line."""
    room = np.zeros(array.size + 16, np.int32)
    first = -room.ctypes.data % 64 // 4
    room[first : first + array.size] = array
    return room[first : first + array.size]


class Emulator:
    """A firmware, compiled: floats or raw integers in, what the synthesized firmware gives out.

    Parameters
    ----------
    firmware
        What was synthesized.
    threads
        Threads used for a large batch; by default as many as this process has cores, or as `L1EMU_THREADS` says.
    target
        ``simd``: the best that this processor has; ``portable``: nothing beyond AVX2; ``exact``: 64-bit integers
        everywhere, compiled once for all firmware. All give the same bits. By default the environment's
        `L1EMU_TARGET`, else ``simd``.

    Raises
    ------
    L1emuError
        if the firmware holds a layer that the emulator does not know, by name; if `target` is unknown, or what
        `L1EMU_DEBUG` asks for.

    Notes
    -----
    An emulator may be called from several threads at once. Its memory beyond input and output does not depend on the
    number of jets. The first call on a machine compiles the kernels; they are kept on disk, see `l1emu.compiled`, and
    emulators of the same firmware share them.
    """

    def __init__(self, firmware: Firmware, *, threads: int | None = None, target: str | None = None) -> None:
        target = target or os.environ.get("L1EMU_TARGET") or _TARGETS[0]
        if target not in _TARGETS:
            raise L1emuError("no such target", value=target, expected=f"one of {', '.join(_TARGETS)}")
        if threads is not None and threads < 1:
            raise L1emuError("wrong number of threads", value=threads, expected="1 or more")
        self.firmware = firmware
        self.threads = threads or cores()
        self.target = target
        debug.check_setting()
        self._program = self._runnable(firmware.outputs)

    def __repr__(self) -> str:
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"<Emulator of {self.firmware.name}: {self.target}, {threads}>"

    def _repr_html_(self) -> str:
        facts = {"target": self.target, "threads": self.threads, "firmware": repr(self.firmware)}
        return html_facts(f"Emulator of {self.firmware.name}", facts)

    @cached_property
    def ranges(self) -> Ranges:
        """The proven bounds of every value, see `l1emu.emulator.interval`."""
        return analyse(self.firmware)

    @cached_property
    def _narrow(self) -> bool:
        return narrow_inputs(self.firmware)

    @cached_property
    def _trace_program(self) -> _Runnable:
        return self._runnable(tuple(layer.output for layer in self.firmware.layers))

    def _runnable(self, results: tuple[Tensor, ...]) -> _Runnable:
        exact = lower(self.firmware, self.ranges, results)
        if self.target != "exact":
            packed = plan(self.firmware, self.ranges, exact, processor.features(self.target), results)
            if packed.calls_own_kernels:
                if debug.wanted("source"):
                    debug.show(packed.module.readable())
                return _Packed(packed)
        return _Exact(exact)

    def __call__(self, x: _Inputs) -> NDArray[np.float64] | dict[str, NDArray[np.float64]]:
        """Emulate a batch of float inputs.

        Parameters
        ----------
        x
            One array (jets, *shape) or (jets, size) if the firmware has one input, or a mapping from the inputs'
            names to such arrays; numpy, or awkward of regular shape. Each value is cast to the input type as the
            C++ casts a double: truncated or rounded, wrapped or saturated.

        Returns
        -------
        float64 array (jets, *shape), or a dict of them by output name if the firmware has several outputs. The
        values are exact: raw integers times a power of two.

        Raises
        ------
        L1emuError
            if a shape or a name is wrong, or an input holds a NaN, whose cast is undefined in C++.
        """
        arrays = self._arrays(x)
        prepared = {name: _floats(array) for name, array in arrays.items()}

        def quantize(first: int, last: int, raw: NDArray[Any]) -> None:
            column = 0
            for tensor in self.firmware.inputs:
                if quantize_into(prepared[tensor.name][first:last], raw, column, tensor.type):
                    _refuse_nan(prepared[tensor.name], first, tensor)
                self._check_limit(tensor, raw[:, column : column + tensor.size])
                column += tensor.size

        direct = None
        if self._program.takes_floats and all(array.flags.writeable for array in prepared.values()):
            (direct,) = prepared.values()  # kernels are compiled anew for arrays that are read-only
        outputs = self._run(self._program, _jets(arrays), quantize, direct)
        return self._single({t.name: t.type.to_float(raw) for t, raw in outputs.items()})

    def raw(self, x: _Inputs) -> NDArray[np.int64] | dict[str, NDArray[np.int64]]:
        """Emulate raw integers (value times 2**fraction of each input's type), giving raw integers.

        Raises
        ------
        L1emuError
            if a shape or a name is wrong, or a value does not fit its input's type.
        """
        arrays = self._arrays(x)
        return self._single({t.name: raw for t, raw in self._run_raw(self._program, arrays).items()})

    def trace(self, x: _Inputs) -> dict[str, NDArray[np.int64]]:
        """The raw output of every layer, by layer name: int64 arrays (jets, *shape).

        Floats are cast as by a call, integers are taken as raw values. The same kernels run as in a call, with room
        for every tensor: memory grows with the batch.
        """
        arrays = self._arrays(x)
        raw = {
            t.name: arrays[t.name]
            if np.issubdtype(arrays[t.name].dtype, np.integer)
            else self._quantized(t, _floats(arrays[t.name]))
            for t in self.firmware.inputs
        }
        found = self._run_raw(self._trace_program, raw)
        # A call keeps some tensors in registers, a trace none: its outputs are those of the call.
        found |= self._run_raw(self._program, raw)
        by_name = {tensor.name: values for tensor, values in found.items()}
        return {layer.name: by_name[layer.output.name] for layer in self.firmware.layers}

    def compile(self, *, traced: bool = False) -> None:
        """Compile all that calls need, or load it, and run nothing: a processor need not be the one that is here.

        Parameters
        ----------
        traced
            What `trace` needs, too.
        """
        size, raw = sum(t.size for t in self.firmware.inputs), np.int32 if self._narrow else np.int64
        self._program.compile(np.empty((2, size), raw))
        for kind in ("float32", "float64"):
            for tensor in self.firmware.inputs:
                floats: NDArray[np.floating[Any]] = np.empty((2, tensor.size), kind)
                compile_quantize(floats, np.empty((2, size), raw), tensor.type)
                if traced:
                    compile_quantize(floats, np.empty((2, tensor.size), np.int64), tensor.type)
            if self._program.takes_floats:
                self._program.compile(np.empty((2, size), kind))
        if traced:
            self._trace_program.compile(np.empty((2, size), raw))

    def explain(self, x: _Inputs | None = None) -> Explanation:
        """Per layer: types, the proven range of its sums, how they may be computed, and with what.

        Parameters
        ----------
        x
            Inputs as for a call, floats or raw integers; with them also the time that each layer takes on one core.
            Layers that are done together with another one, in registers, take none of their own.
        """
        seconds = None if x is None else self._profile(x)
        return explain(self.firmware, self.ranges, self._program.arithmetic(self.ranges), seconds)

    def source(self) -> str:
        """The module that was generated for this firmware, with what each of its calls does as comments.

        Only comments, where everything is left to the exact kernels, as with the target ``exact``.
        """
        program = self._program
        return program.program.module.readable() if isinstance(program, _Packed) else "# the exact kernels alone\n"

    def _profile(self, x: _Inputs) -> dict[str, float]:
        arrays = self._arrays(x)
        columns = []
        for tensor in self.firmware.inputs:
            array = arrays[tensor.name][:_CHUNK]
            integers = np.issubdtype(array.dtype, np.integer)
            columns.append(array.astype(np.int64) if integers else self._quantized(tensor, _floats(array)))
        raw = np.concatenate(columns, axis=1)
        if not len(raw):
            raise L1emuError("no jets to time the layers with", expected="one at least")
        return self._program.profile(raw.astype(np.int32) if self._narrow else raw)

    def _check_limit(self, tensor: Tensor, raw: NDArray[Any]) -> None:
        """Refuse numbers beyond the table whose rows an input picks."""
        limits = self.firmware.limits.get(tensor.name)
        if limits is None or not raw.size:
            return
        found = [int(raw.min()), int(raw.max())]
        if found[0] < limits[0] or found[1] > limits[1]:
            low, high, worst = tensor.type.to_float(
                np.array([*limits, found[1] if found[1] > limits[1] else found[0]])
            ).tolist()
            raise L1emuError(
                "a number beyond the table of an embedding, where the C++ reads something else",
                where=f"input {tensor.name}",
                value=f"{worst:g}",
                expected=f"at least {low:g}, at most {high:g}",
            )

    def _quantized(self, tensor: Tensor, x: NDArray[Any]) -> NDArray[np.int64]:
        raw = np.empty(x.shape, np.int64)
        if quantize_into(x, raw, 0, tensor.type):
            _refuse_nan(x, 0, tensor)
        return raw

    def _run_raw(self, program: _Runnable, arrays: dict[str, NDArray[Any]]) -> dict[Tensor, NDArray[np.int64]]:
        for tensor in self.firmware.inputs:
            array = arrays[tensor.name]
            if not np.issubdtype(array.dtype, np.integer):
                raise L1emuError(
                    "raw values are integers",
                    where=f"input {tensor.name}",
                    value=str(array.dtype),
                    expected="an integer dtype",
                )
            if array.size and not tensor.type.low <= int(array.min()) <= int(array.max()) <= tensor.type.high:
                raise L1emuError(
                    "raw values outside the input type",
                    where=f"input {tensor.name}",
                    value=(int(array.min()), int(array.max())),
                    expected=f"{tensor.type.low} to {tensor.type.high}, the range of {tensor.type}",
                )

            self._check_limit(tensor, array)

        def copy(first: int, last: int, raw: NDArray[Any]) -> None:
            column = 0
            for tensor in self.firmware.inputs:
                raw[:, column : column + tensor.size] = arrays[tensor.name][first:last]
                column += tensor.size

        return self._run(program, _jets(arrays), copy)

    def _run(
        self,
        program: _Runnable,
        jets: int,
        fill: Callable[[int, int, NDArray[Any]], None],
        direct: NDArray[np.floating[Any]] | None = None,
    ) -> dict[Tensor, NDArray[np.int64]]:
        """Run `program`; `fill(first, last, raw)` writes the raw inputs of jets first..last-1.

        `direct` are floats that the program takes instead, where none of them needs the care of `fill`.
        """
        inputs = sum(t.size for t in self.firmware.inputs)
        out = np.empty((jets, sum(t.size for t in program.results)), np.int64)

        stopped = threading.Event()

        def work_on(begin: int, end: int) -> None:
            raw = np.empty((min(_CHUNK, end - begin), inputs), np.int32 if self._narrow else np.int64)
            execute = program.prepare()
            for first in range(begin, end, _CHUNK):
                if stopped.is_set():
                    return
                last = min(first + _CHUNK, end)
                if direct is not None and execute(direct[first:last], out[first:last]):
                    continue
                fill(first, last, raw[: last - first])
                execute(raw[: last - first], out[first:last])

        share = max(-(-jets // self.threads), 2 * _LANES)
        parts = [(begin, min(begin + share, jets)) for begin in range(0, jets, share)]
        if len(parts) == 1:
            work_on(*parts[0])
        elif parts:
            with ThreadPoolExecutor(len(parts)) as pool:
                try:
                    for done in [pool.submit(work_on, *part) for part in parts]:
                        done.result()
                except BaseException:  # Ctrl-C, a NaN: the others need not go on
                    stopped.set()
                    raise
        results, column = {}, 0
        for tensor in program.results:
            part = out[:, column : column + tensor.size]
            results[tensor] = np.ascontiguousarray(part).reshape(jets, *tensor.shape)
            column += tensor.size
        return results

    def _single(self, outputs: dict[str, NDArray[_T]]) -> NDArray[_T] | dict[str, NDArray[_T]]:
        return outputs if len(self.firmware.outputs) > 1 else next(iter(outputs.values()))

    def _arrays(self, x: _Inputs) -> dict[str, NDArray[Any]]:
        """The inputs by name, each as a numpy array (jets, size)."""
        wanted = {t.name: t for t in self.firmware.inputs}
        if isinstance(x, Mapping):
            given = dict(x)
        elif len(wanted) == 1:
            given = {next(iter(wanted)): x}
        else:
            raise L1emuError("this firmware has several inputs", expected=f"a dict with {', '.join(wanted)}")
        if set(given) != set(wanted):
            raise L1emuError("wrong input names", value=sorted(map(str, given)), expected=", ".join(sorted(wanted)))
        arrays = {name: _shaped(given[name], tensor) for name, tensor in wanted.items()}
        if len({array.shape[0] for array in arrays.values()}) > 1:
            counts = {name: array.shape[0] for name, array in arrays.items()}
            raise L1emuError("inputs of different numbers of jets", value=counts)
        return arrays


def _jets(arrays: dict[str, NDArray[Any]]) -> int:
    return int(next(iter(arrays.values())).shape[0])


def _shaped(x: Any, tensor: Tensor) -> NDArray[Any]:
    try:
        array = np.asarray(x)
    except (ValueError, TypeError) as error:  # ragged lists, awkward arrays that are not regular
        raise L1emuError(
            "not a regular array", where=f"input {tensor.name}", expected=f"(jets, {_text(tensor.shape)})"
        ) from error
    if array.dtype.kind not in "iufb":
        raise L1emuError(
            "not numbers", where=f"input {tensor.name}", value=str(array.dtype), expected="floats or integers"
        )
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    check_shape(array.shape, tensor)
    return array.reshape(array.shape[0], tensor.size)


def check_shape(shape: tuple[int, ...], tensor: Tensor) -> None:
    """Check that an array of this shape holds an input of jets: (jets, *shape) or (jets, size).

    Raises
    ------
    L1emuError
        if not.
    """
    if not shape or shape[1:] not in (tensor.shape, (tensor.size,)):
        raise L1emuError(
            "wrong shape",
            where=f"input {tensor.name}",
            value=shape,
            expected=f"(jets, {_text(tensor.shape)}) or (jets, {tensor.size})",
        )


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _floats(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind in "iu" and array.size and max(abs(int(array.min())), abs(int(array.max()))) > 2**53:
        raise L1emuError("integers too large for an exact double", value=int(array.max()), expected="at most 2**53")
    return np.ascontiguousarray(array, dtype=np.float32 if array.dtype == np.float32 else np.float64)


def _refuse_nan(x: NDArray[Any], first: int, tensor: Tensor) -> None:
    jet, element = np.argwhere(np.isnan(x[first:]))[0].tolist()
    place = np.unravel_index(element, tensor.shape)
    index = ", ".join(str(int(i)) for i in (first + jet, *place))
    raise L1emuError(
        "NaN, whose cast to fixed point is undefined",
        where=f"input {tensor.name}[{index}]",
        expected="finite or infinite numbers",
    )
