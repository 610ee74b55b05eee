"""`Emulator`: a firmware compiled for this machine, exact to the last bit."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from l1emu import debug
from l1emu.compiled import compile_for
from l1emu.cores import cores
from l1emu.emulator.cache import module_from_source
from l1emu.emulator.crew import JetRange, do_parts
from l1emu.emulator.cuda.program import CudaProgram
from l1emu.emulator.cuda.text import GPU_FEATURES
from l1emu.emulator.exact.assembler import Program
from l1emu.emulator.explain import Explanation, explain
from l1emu.emulator.interval import Ranges
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.interpret import execute
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import VectorProgram, plan
from l1emu.emulator.quantize import compile_quantize, quantize_into
from l1emu.emulator.results import Destination, OutputArrays, apart, destinations, dtype_of_outputs, store_rows
from l1emu.emulator.stages import Run, Runnable, Staged, is_staged
from l1emu.emulator.vector import features as processor
from l1emu.emulator.vector.context import narrow_inputs
from l1emu.emulator.vector.conversions import KINDS_OUT
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.layers import Tensor
from l1emu.notebook import html_facts

_LANES = 64  # jets side by side in the exact kernels: a row of int64 is then 512 bytes
_PROFILED = 1024  # jets that the layers are timed with
_PROFILE_RUNS = 50  # of which the fastest counts, layer by layer: others may use the core too
_TARGETS = ("simd", "portable", "exact", "cuda")

_Inputs = ArrayLike | Mapping[str, ArrayLike]
_Outputs = NDArray[Any] | dict[str, NDArray[Any]]


class _Exact:
    """The exact kernels alone."""

    takes_floats = False

    def __init__(self, program: Program) -> None:
        self.program, self.results = program, program.results
        self.spare: list[Run] = []
        self.pace = self.part = 0.0

    def prepare(self) -> Run:
        program, work = self.program, np.zeros(self.program.rows * _LANES, np.int64)

        def run(raw: NDArray[Any], outputs: Sequence[NDArray[Any]]) -> bool:
            out, column = np.empty((len(raw), len(program.out_rows)), np.int64), 0
            execute(work, program.table, program.code, program.starts, _LANES, raw, out, program.out_rows)
            for tensor, into in zip(self.results, outputs, strict=True):
                store_rows(into, out[:, column : column + tensor.size], tensor.type.fraction)
                column += tensor.size
            return True

        return run

    def compile(self, raw: NDArray[Any]) -> None:
        program, work = self.program, np.zeros(_LANES, np.int64)
        out = np.empty((len(raw), len(program.out_rows)), np.int64)
        compile_for(execute, work, program.table, program.code, program.starts, _LANES, raw, out, program.out_rows)

    def source(self) -> str:
        return "# the exact kernels alone\n"

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
        self.spare: list[Run] = []
        self.pace = self.part = 0.0

    def prepare(self) -> Run:
        exact, execute, constants = self.program.exact, self._execute, self._constants
        table, code = exact.table, exact.code
        work = np.zeros(exact.rows * processor.LANES, np.int64)
        vectors = _aligned(np.zeros(self.program.vectors * processor.LANES, np.int32))

        def run(raw: NDArray[Any], outputs: Sequence[NDArray[Any]]) -> bool:
            return not execute(vectors, constants, work, table, code, raw, *_as_bytes(outputs))

        return run

    def compile(self, raw: NDArray[Any]) -> None:
        exact, work, vectors = self.program.exact, np.zeros(1, np.int64), np.zeros(1, np.int32)
        outputs = _as_bytes([np.empty((len(raw), t.size)) for t in self.results])
        compile_for(self._execute, vectors, self._constants, work, exact.table, exact.code, raw, *outputs)

    def arithmetic(self, ranges: Ranges) -> dict[str, str]:
        return self.program.arithmetic

    def source(self) -> str:
        return self.program.module.readable()

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        program, exact = self.program, self.program.exact
        execute = module_from_source(program.name(program.profiled), program.profiled).execute
        work = np.zeros(exact.rows * processor.LANES, np.int64)
        vectors = _aligned(np.zeros(program.vectors * processor.LANES, np.int32))
        outputs = _as_bytes([np.empty((len(raw), t.size)) for t in program.results])
        spent = np.zeros(len(program.stages), np.int64)
        arguments = (vectors, self._constants, work, exact.table, exact.code, raw, spent, *outputs)

        least, seconds, ticks = np.full(len(spent), np.iinfo(np.int64).max), 0.0, 0
        execute(*arguments)  # compiled
        for _ in range(_PROFILE_RUNS):
            spent[:] = 0
            begin = time.perf_counter()
            execute(*arguments)
            seconds += time.perf_counter() - begin
            ticks += int(spent.sum())
            least = np.minimum(least, spent)
        return dict(zip(program.stages, (least * (seconds / ticks / len(raw))).tolist(), strict=True))


def _prepared(program: Runnable) -> Run:
    """A function with a workspace of its own, one that was used before if there is one."""
    try:
        return program.spare.pop()
    except IndexError:
        return program.prepare()


def _aligned(array: NDArray[np.int32]) -> NDArray[np.int32]:
    """A copy that starts at a cache line."""
    room = np.zeros(array.size + 16, np.int32)
    first = -room.ctypes.data % 64 // 4
    room[first : first + array.size] = array
    return room[first : first + array.size]


def _as_bytes(outputs: Sequence[NDArray[Any]]) -> list[Any]:
    """Arguments of a generated module: the bytes of each output, and the kind of number that is written into them."""
    found: list[Any] = []
    for out in outputs:
        found += out.view(np.uint8), KINDS_OUT[out.dtype]
    return found


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
        everywhere, compiled once for all firmware; ``cuda``: on all NVIDIA GPUs that are here (extra `cuda`). All give
        the same bits. By default the environment's `L1EMU_TARGET`, else ``simd``.

    Raises
    ------
    L1emuError
        if the firmware holds a layer that the emulator does not know, by name; if `target` is unknown, or what
        `L1EMU_DEBUG` asks for; for ``cuda`` if numba-cuda, the driver or a GPU is missing, or one is too old.

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
        self._columns = sum(t.size for t in firmware.inputs)

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
    def _trace_program(self) -> Runnable:
        return self._runnable(tuple(layer.output for layer in self.firmware.layers))

    def _runnable(self, results: tuple[Tensor, ...]) -> Runnable:
        if is_staged(self.firmware):
            return Staged(self.firmware, results, self._known)
        return self._known(self.firmware, self.ranges, results)

    def _known(self, firmware: Firmware, ranges: Ranges, results: tuple[Tensor, ...]) -> Runnable:
        """The program of a firmware, or of a part of it, without layers of its project's own C++."""
        exact = lower(firmware, ranges, results)
        if self.target == "cuda":
            planned = plan(firmware, ranges, exact, GPU_FEATURES, results)
            return CudaProgram(planned, firmware.inputs, narrow=narrow_inputs(firmware), threads=self.threads)
        if self.target != "exact":
            packed = plan(firmware, ranges, exact, processor.features(self.target), results)
            if packed.calls_own_kernels:
                if debug.wanted("source"):
                    debug.show(packed.module.readable())
                return _Packed(packed)
        return _Exact(exact)

    def __call__(self, x: _Inputs, *, dtype: DTypeLike | None = None, out: OutputArrays | None = None) -> _Outputs:
        """Emulate a batch of float inputs.

        Parameters
        ----------
        x
            One array (jets, *shape) or (jets, size) if the firmware has one input, or a mapping from the inputs'
            names to such arrays; numpy, or awkward of regular shape. Each value is cast to the input type as the
            C++ casts a double: truncated or rounded, wrapped or saturated. With the target ``cuda`` also arrays on
            the GPU in use, of anything with `__cuda_array_interface__`; the outputs then stay there, as numba's.
        dtype
            Of the outputs: float64, by default, or float32 for values; one of integers for raw ones (value times
            2**fraction of the output's type).
        out
            Arrays (jets, *shape) or (jets, size) to write the outputs into: one, or a dict of them by output name if
            the firmware has several outputs. Their dtype counts, as `dtype` does. No memory is then taken for them.

        Returns
        -------
        Array (jets, *shape), or a dict of them by output name if the firmware has several outputs; `out`, if given.
        The values are exact: raw integers times a power of two, rounded to float64 alone beyond 53 bits.

        Raises
        ------
        L1emuError
            if a shape or a name is wrong, or an input holds a NaN, whose cast is undefined in C++; if `out` has the
            wrong shape, or a dtype does not hold every number of an output's type.
        """
        if (there := on_gpu(x)) is not None:
            return self.emulate_there(there, np.float64 if dtype is None else dtype, out)
        arrays = self.arrays(x)
        jets = _jets(arrays)
        written = destinations(self.firmware.outputs, jets, dtype, out, np.float64)
        prepared = {name: _floats(array) for name, array in arrays.items()}
        if out is not None:
            prepared = {name: apart(array, written) for name, array in prepared.items()}
        if isinstance(self._program, CudaProgram):
            self._run_cuda(self._program, prepared, written)
            return self._returned(written, out)

        def quantize(first: int, last: int, raw: NDArray[Any]) -> None:
            column = 0
            for tensor in self.firmware.inputs:
                if quantize_into(prepared[tensor.name][first:last], raw, column, tensor.type):
                    _refuse_nan(prepared[tensor.name], first, tensor)
                self._check_limit(tensor, raw[:, column : column + tensor.size])
                column += tensor.size

        direct = None
        if self._program.takes_floats:  # there is one input then
            (floats,) = prepared.values()
            direct = floats if floats.flags.writeable else None  # kernels are compiled anew for others
        self._run(self._program, jets, quantize, direct, written)
        return self._returned(written, out)

    def raw(self, x: _Inputs, *, dtype: DTypeLike | None = None, out: OutputArrays | None = None) -> _Outputs:
        """Emulate raw integers (value times 2**fraction of each input's type), giving raw integers.

        Parameters
        ----------
        x
            As for a call, but integers.
        dtype, out
            As for a call; by default int64.

        Raises
        ------
        L1emuError
            if a shape or a name is wrong, or a value does not fit its input's type; for `dtype` and `out` as a call.
        """
        if (there := on_gpu(x)) is not None:
            return self._on_gpu(there, "iu", np.int64 if dtype is None else dtype, out)
        arrays = self.arrays(x)
        written = destinations(self.firmware.outputs, _jets(arrays), dtype, out, np.int64)
        if out is not None:
            arrays = {name: apart(array, written) for name, array in arrays.items()}
        self._run_raw(self._program, arrays, written)
        return self._returned(written, out)

    def trace(self, x: _Inputs) -> dict[str, NDArray[np.int64]]:
        """The raw output of every layer, by layer name: int64 arrays (jets, *shape).

        Floats are cast as by a call, integers are taken as raw values. The same kernels run as in a call, with room
        for every tensor: memory grows with the batch.
        """
        arrays = self.arrays(x)
        raw = {
            t.name: arrays[t.name]
            if np.issubdtype(arrays[t.name].dtype, np.integer)
            else self._quantized(t, _floats(arrays[t.name]))
            for t in self.firmware.inputs
        }
        by_name: dict[str, NDArray[np.int64]] = {}
        # A call keeps some tensors in registers, a trace none: its outputs are those of the call.
        for program in (self._trace_program, self._program):
            written = destinations(program.results, _jets(raw), None, None, np.int64)
            self._run_raw(program, raw, written)
            by_name |= {t.name: one.array for t, one in zip(program.results, written, strict=True)}
        return {layer.name: by_name[layer.output.name] for layer in self.firmware.layers}

    def compile(self, *, traced: bool = False) -> None:
        """Compile all that calls need, or load it, and run nothing: a processor need not be the one that is here.

        Parameters
        ----------
        traced
            What `trace` needs, too.
        """
        size, raw = self._columns, np.int32 if self._narrow else np.int64
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
        kernel = self._program.limits() if isinstance(self._program, CudaProgram) else None
        return explain(self.firmware, self.ranges, self._program.arithmetic(self.ranges), seconds, kernel)

    def source(self) -> str:
        """The module that was generated for this firmware, with what each of its calls does as comments.

        Only comments, where everything is left to the exact kernels, as with the target ``exact``.
        """
        return self._program.source()

    def _profile(self, x: _Inputs) -> dict[str, float]:
        arrays = self.arrays(x)
        columns = []
        for tensor in self.firmware.inputs:
            array = arrays[tensor.name][:_PROFILED]
            integers = np.issubdtype(array.dtype, np.integer)
            columns.append(array.astype(np.int64) if integers else self._quantized(tensor, _floats(array)))
        raw = np.concatenate(columns, axis=1)
        if not len(raw):
            raise L1emuError("no jets to time the layers with", expected="one at least")
        return self._program.profile(raw.astype(np.int32) if self._narrow else raw)

    def quantized(self, x: _Inputs) -> dict[str, NDArray[np.int64]]:
        """The inputs by name as raw integers (jets, size): assigned to their types as by a call.

        Raises
        ------
        L1emuError
            if a shape or a name is wrong, or an input holds a NaN.
        """
        arrays = self.arrays(x)
        return {t.name: self._quantized(t, _floats(arrays[t.name])) for t in self.firmware.inputs}

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

    def _run_raw(self, program: Runnable, arrays: dict[str, NDArray[Any]], written: Sequence[Destination]) -> None:
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
        if isinstance(program, CudaProgram):
            self._run_cuda(program, arrays, written)
            return

        def copy(first: int, last: int, raw: NDArray[Any]) -> None:
            column = 0
            for tensor in self.firmware.inputs:
                raw[:, column : column + tensor.size] = arrays[tensor.name][first:last]
                column += tensor.size

        self._run(program, _jets(arrays), copy, None, written)

    def _run_cuda(self, program: CudaProgram, arrays: dict[str, NDArray[Any]], written: Sequence[Destination]) -> None:
        """Run a batch of floats, or of raw integers that were checked, on the GPUs."""
        given = [arrays[t.name] for t in self.firmware.inputs]
        if self.firmware.limits and given[0].dtype.kind == "f":  # which only this processor looks at
            given = [self._quantized(t, array) for t, array in zip(self.firmware.inputs, given, strict=True)]
            for tensor, array in zip(self.firmware.inputs, given, strict=True):
                self._check_limit(tensor, array)
        jets = len(given[0])
        rooms = [one.room(0, jets) for one in written]
        if not program.run(given, rooms):
            for tensor, array in zip(self.firmware.inputs, given, strict=True):
                if np.isnan(array).any():
                    _refuse_nan(array, 0, tensor)
        for one, room in zip(written, rooms, strict=True):
            one.take(room, 0, jets)

    @property
    def reads_gpu(self) -> bool:
        """Whether arrays that lie on a GPU can be emulated there."""
        return isinstance(self._program, CudaProgram) and not self.firmware.limits

    def emulate_there(self, x: Any, dtype: DTypeLike = np.float64, out: OutputArrays | None = None) -> _Outputs:
        """A call of floats that are known to lie on a GPU; the outputs lie there too."""
        return self._on_gpu(x, "f", dtype, out)

    def _on_gpu(self, x: Any, kinds: str, dtype: DTypeLike, out: OutputArrays | None) -> _Outputs:
        """A call of arrays that lie on a GPU."""
        program, inputs, outputs = self._program, self.firmware.inputs, self.firmware.outputs
        if not isinstance(program, CudaProgram) or not self.reads_gpu or out is not None:
            problem = "out= with arrays on a GPU" if out is not None else "arrays on a GPU"
            allowed = "the target cuda, of a firmware without embeddings, or arrays in this processor's memory"
            raise L1emuError(f"{problem} that cannot be read there", value=self.target, expected=allowed)
        given = self._by_name(x)
        columns = {}
        for tensor in inputs:
            array = program.device_array(given[tensor.name])
            check_shape(tuple(array.shape), tensor)
            if not array.is_c_contiguous():
                raise L1emuError("an array on a GPU that is not C-contiguous", where=f"input {tensor.name}")
            if np.dtype(array.dtype).kind not in kinds or array.dtype == np.float16:
                wanted = "float32 or float64" if kinds == "f" else "integers"
                raise L1emuError("a wrong dtype", where=f"input {tensor.name}", value=str(array.dtype), expected=wanted)
            columns[tensor.name] = array.reshape(array.shape[0], tensor.size)
        _check_same_number(columns)
        kind = dtype_of_outputs(dtype, outputs)
        if kind not in KINDS_OUT:
            raise L1emuError("no dtype of outputs on a GPU", value=str(kind), expected=", ".join(map(str, KINDS_OUT)))
        found = program.on_device(list(columns.values()), [kind] * len(outputs))
        shaped: dict[str, Any] = {t.name: a.reshape(a.shape[0], *t.shape) for t, a in zip(outputs, found, strict=True)}
        return shaped if len(outputs) > 1 else next(iter(shaped.values()))

    def _run(
        self,
        program: Runnable,
        jets: int,
        fill: Callable[[int, int, NDArray[Any]], None],
        direct: NDArray[np.floating[Any]] | None,
        written: Sequence[Destination],
    ) -> None:
        """Run `program`; `fill(first, last, raw)` writes the raw inputs of jets first..last-1.

        `direct` are floats that the program takes instead, where none of them needs the care of `fill`.
        """
        columns, kind = self._columns, np.int32 if self._narrow else np.int64

        def work(parts: Iterator[JetRange]) -> None:
            execute = _prepared(program)
            for first, last in parts:
                rooms = [one.room(first, last) for one in written]
                if direct is None or not execute(direct[first:last], rooms):
                    raw = np.empty((last - first, columns), kind)
                    fill(first, last, raw)
                    execute(raw, rooms)
                for one, room in zip(written, rooms, strict=True):
                    one.take(room, first, last)
            program.spare.append(execute)

        program.pace = do_parts(jets, self.threads, program.pace, work, program.part)

    def _returned(self, written: Sequence[Destination], out: OutputArrays | None) -> _Outputs:
        if out is not None and not isinstance(out, Mapping):
            return out
        if len(written) == 1:
            return written[0].array
        return {t.name: one.array for t, one in zip(self.firmware.outputs, written, strict=True)}

    def by_name(self, outputs: _Outputs) -> dict[str, NDArray[Any]]:
        """What a call returned, by the outputs' names: of one output it is the array alone."""
        return outputs if isinstance(outputs, dict) else {self.firmware.outputs[0].name: outputs}

    def arrays(self, x: _Inputs) -> dict[str, NDArray[Any]]:
        """The inputs of a call by name, each as a numpy array (jets, size).

        Raises
        ------
        L1emuError
            if a shape or a name is wrong.
        """
        if isinstance(x, np.ndarray) and len(self.firmware.inputs) == 1:  # in little time: it may hold one jet
            tensor = self.firmware.inputs[0]
            return {tensor.name: _shaped(x, tensor)}
        given = self._by_name(x)
        arrays = {t.name: _shaped(given[t.name], t) for t in self.firmware.inputs}
        _check_same_number(arrays)
        return arrays

    def _by_name(self, x: Any) -> dict[str, Any]:
        """What a call is given for each input, as it is."""
        wanted = [t.name for t in self.firmware.inputs]
        if isinstance(x, Mapping):
            given = dict(x)
        elif len(wanted) == 1:
            given = {wanted[0]: x}
        else:
            raise L1emuError("this firmware has several inputs", expected=f"a dict with {', '.join(wanted)}")
        if set(given) != set(wanted):
            raise L1emuError("wrong input names", value=sorted(map(str, given)), expected=", ".join(sorted(wanted)))
        return given


def on_gpu(x: Any) -> Any:
    """`x` if it is an array on a GPU, or a mapping to such; else None."""
    if isinstance(x, np.ndarray):
        return None
    arrays = list(x.values()) if isinstance(x, Mapping) else [x]
    return x if arrays and all(hasattr(array, "__cuda_array_interface__") for array in arrays) else None


def _check_same_number(arrays: Mapping[str, Any]) -> None:
    """Refuse inputs of several numbers of jets."""
    counts = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise L1emuError("inputs of different numbers of jets", value=counts)


def _jets(arrays: dict[str, NDArray[Any]]) -> int:
    return int(next(iter(arrays.values())).shape[0])


def _shaped(x: Any, tensor: Tensor) -> NDArray[Any]:
    try:
        array = np.asarray(x)
    except (ValueError, TypeError) as error:  # ragged lists, awkward arrays that are not regular
        raise L1emuError(
            "not a regular array", where=f"input {tensor.name}", expected=f"(jets, {_text(tensor.shape)})"
        ) from error
    if array.dtype.kind == "f" and array.shape[1:] == tensor.shape:
        return array.reshape(len(array), -1) if array.size else array.reshape(len(array), tensor.size)
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
    if array.dtype == np.float32 and array.flags.c_contiguous and array.flags.aligned:
        return array
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
