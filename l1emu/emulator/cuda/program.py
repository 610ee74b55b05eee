"""A firmware on GPUs: batches in pieces over streams, what is in memory, and what is left to do where it is short."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.cuda import kernels
from l1emu.emulator.cuda.device import BLOCK_JETS, cuda, gpus, is_short_of_memory, simulated
from l1emu.emulator.cuda.text import jet_source
from l1emu.emulator.interval import Ranges
from l1emu.emulator.passes.plan import VectorProgram
from l1emu.emulator.quantize import cast_arguments
from l1emu.emulator.vector.conversions import KINDS_OUT
from l1emu.errors import L1emuError
from l1emu.layers import Tensor

_PIECE = 1 << 28  # bytes of inputs that are copied to a GPU at once, while the piece before is computed
_STREAMS = 2
_BLOCKS = 8  # of BLOCK_JETS threads, a multiprocessor: more than are at work there at once
_COPIED = 1 << 22  # bytes from which on several threads copy
_PROFILED = 20  # runs of each layer, of which the fastest counts

_T = TypeVar("_T")
_Columns = Sequence[Any]
"""An array (jets, size) for each input: all floats, to be cast to the inputs' types, or raw integers."""


class CudaProgram:
    """A program on the GPUs that are here, see `l1emu.emulator.stages.Runnable`.

    Parameters
    ----------
    program
        Of the features `l1emu.emulator.cuda.text.GPU_FEATURES`.
    inputs
        The tensors that go in.
    narrow
        Whether raw inputs fit int32.
    threads
        Threads of this processor that copy.

    Raises
    ------
    L1emuError
        as `l1emu.emulator.cuda.device.gpus`.
    """

    takes_floats = False

    def __init__(self, program: VectorProgram, inputs: tuple[Tensor, ...], *, narrow: bool, threads: int) -> None:
        self.program, self.results = program, program.results
        self.spare: list[Callable[..., bool]] = []
        self.pace = self.part = 0.0
        self.piece = _PIECE
        self._inputs, self._raw = inputs, np.int32 if narrow else np.int64
        self._threads = threads
        self._cards = [_Card(self, number) for number in range(gpus())]

    # -- what all programs can do --------------------------------------------------------------------------------

    def prepare(self) -> Callable[..., bool]:
        """A function of raw integers (jets, columns) and the arrays that it writes."""
        ends = np.cumsum([t.size for t in self._inputs])[:-1]

        def run(raw: NDArray[Any], outputs: Sequence[NDArray[Any]]) -> bool:
            return self.run(np.split(raw, ends, axis=1), outputs)

        return run

    def compile(self, raw: NDArray[Any]) -> None:
        """Compile what calls need, by a call of two jets of zeros."""
        for kind in (np.float32, np.float64, raw.dtype):
            self.run([np.zeros((2, t.size), kind) for t in self._inputs], [np.empty((2, t.size)) for t in self.results])

    def arithmetic(self, ranges: Ranges) -> dict[str, str]:
        """What each layer is computed with."""
        return self.program.arithmetic

    def source(self) -> str:
        """What a thread does."""
        return f"# one jet, a thread of a GPU\n{jet_source(self.program.module)}"

    # -- batches -------------------------------------------------------------------------------------------------

    def run(self, columns: _Columns, outputs: Sequence[NDArray[Any]]) -> bool:
        """Run a batch from this processor's memory, on all GPUs; whether no float is NaN.

        Parameters
        ----------
        outputs
            C-contiguous arrays (jets, size) of `results`, float64, float32, int64 or int32.
        """
        jets = len(columns[0])
        share = -(-jets // len(self._cards))
        parts = [(first, min(first + share, jets)) for first in range(0, jets, max(share, 1))]

        def part(number: int) -> bool:
            first, last = parts[number]
            rows = [array[first:last] for array in columns], [array[first:last] for array in outputs]
            return self._cards[number].run(*rows)

        if len(parts) < 2 or simulated():
            return all(list(map(part, range(len(parts)))))
        with ThreadPoolExecutor(len(parts)) as pool:
            return all(list(pool.map(part, range(len(parts)))))

    def on_device(self, columns: _Columns, kinds: Sequence[np.dtype[Any]]) -> list[Any]:
        """Run a batch that lies on the GPU in use, and leave what comes out there: arrays (jets, size) of `results`.

        Parameters
        ----------
        columns
            Arrays as `device_array` gives them.
        kinds
            What to write, a dtype for each of `results`.

        Raises
        ------
        L1emuError
            if a float is NaN, or an integer is outside its type; if the GPU has too little memory.
        """
        number = 0 if simulated() else int(cuda().get_current_device().id)
        return self._cards[number].on_device(columns, kinds)

    def device_array(self, array: Any) -> Any:
        """An array with `__cuda_array_interface__`, of whatever library, as numba's; no number is copied."""
        return array if simulated() else cuda().as_cuda_array(array)

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        """Seconds a jet of each layer on the first GPU, all its threads at work, and of loading and storing."""
        return self._cards[0].profile(raw)

    def limits(self) -> str:
        """Registers and memory of the kernel on the first GPU, and what limits how many jets are at work."""
        return self._cards[0].limits()

    def copy(self, into: NDArray[Any], array: NDArray[Any]) -> None:
        """Copy, by several threads where it is much; integers fit, which was checked."""
        if array.nbytes < _COPIED or self._threads < 2:
            np.copyto(into, array, casting="unsafe")
            return
        edges = np.linspace(0, len(array), self._threads + 1).astype(int).tolist()
        parts = [slice(*ends) for ends in pairwise(edges)]
        list(self._copiers.map(lambda rows: np.copyto(into[rows], array[rows], casting="unsafe"), parts))

    @cached_property
    def _copiers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, "l1emu-copy")

    @cached_property
    def uses_rows(self) -> bool:
        """Whether a layer runs in the exact kernels, which need rows."""
        return "work" in jet_source(self.program.module).partition("def jet")[2].partition("\n")[2]

    @property
    def columns(self) -> int:
        """Raw integers a jet."""
        return sum(t.size for t in self._inputs)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that go in."""
        return self._inputs

    @property
    def raw_kind(self) -> type[np.signedinteger[Any]]:
        """What raw integers are."""
        return self._raw


class _Piece:
    """Memory for so many jets at a time, on a GPU and here, and a stream."""

    def __init__(self, owner: CudaProgram, jets: int, grid: int, columns: _Columns, kinds: Sequence[Any]) -> None:
        module = cuda()
        self.jets, self.grid = jets, grid
        self.stream = module.stream()
        program, blocks = owner.program, -(-jets // BLOCK_JETS)
        rows = program.exact.rows if owner.uses_rows else 1
        make = module.device_array
        self.raw = make((blocks, owner.columns, BLOCK_JETS), owner.raw_kind)
        self.words = make((grid, program.vectors, BLOCK_JETS), np.int32)
        self.rows = make((grid, rows, BLOCK_JETS), np.int64)
        self.odd = make(1, np.int32)
        self.given: list[Any] = []
        self.here: list[Any] = []
        self.out: list[Any] = []
        self.out_here: list[Any] = []
        for array in columns:
            kind = array.dtype if array.dtype.kind == "f" else owner.raw_kind
            self.given.append(make((jets, array.shape[1]), kind))
            self.here.append(module.pinned_array((jets, array.shape[1]), kind))
        for tensor, kind in zip(owner.results, kinds, strict=False):  # none where they stay on the GPU
            self.out.append(make((jets, tensor.size), kind))
            self.out_here.append(module.pinned_array((jets, tensor.size), kind))
        self.odd_here = module.pinned_array(1, np.int32)
        self.even_here = module.pinned_array(1, np.int32)
        self.even_here[0] = 0
        self.running: tuple[int, int] | None = None


class _Card:
    """One GPU: the constants and kernels of a program, and memory that is kept from one batch to the next."""

    def __init__(self, owner: CudaProgram, number: int) -> None:
        self._owner, self._number = owner, number
        self._kept: dict[Any, list[_Piece]] = {}
        self._most = 0  # jets in a piece, once memory was short

    def _here(self) -> Any:
        return nullcontext() if simulated() else cuda().gpus[self._number]

    @cached_property
    def _data(self) -> tuple[Any, Any, Any]:
        program, put = self._owner.program, cuda().to_device
        return put(program.constants), put(program.exact.table), put(_some(program.exact.code))

    @cached_property
    def _kernel(self) -> Any:
        return kernels.started(kernels.jets_kernel(self._owner.program))

    @cached_property
    def _floats(self) -> Any:
        return kernels.started(kernels.floats_kernel())

    @cached_property
    def _integers(self) -> Any:
        return kernels.started(kernels.integers_kernel())

    @cached_property
    def _grid(self) -> int:
        """Blocks that are started at once."""
        return 1 if simulated() else int(cuda().get_current_device().MULTIPROCESSOR_COUNT) * _BLOCKS

    # -- batches from here ---------------------------------------------------------------------------------------

    def run(self, columns: _Columns, outputs: Sequence[NDArray[Any]]) -> bool:
        """As `CudaProgram.run`."""
        jets = len(columns[0])
        if not jets:
            return True
        key = tuple(array.dtype for array in (*columns, *outputs))
        with self._here():
            pieces = self._memory(key, columns, [array.dtype for array in outputs])
            fine = True
            steps = range(0, jets, pieces[0].jets)
            for turn, first in enumerate(steps):
                piece = pieces[turn % len(pieces)]
                fine &= self._finish(piece, outputs)
                self._start(piece, columns, first, min(first + piece.jets, jets))
            for piece in pieces:
                fine &= self._finish(piece, outputs)
            self._kept = {key: pieces}
        return fine

    def _memory(self, key: Any, columns: _Columns, kinds: Sequence[Any] | None) -> list[_Piece]:
        """Pieces for a batch, those of the last one if they do; where `kinds` is None one, without room here."""
        jets = columns[0].shape[0]
        size = sum(array.shape[1] * array.dtype.itemsize for array in columns)
        most = max(self._owner.piece // size // BLOCK_JETS, 1) * BLOCK_JETS
        most = min(most, self._most or most, -(-jets // BLOCK_JETS) * BLOCK_JETS)
        kept = self._kept.pop(key, [])
        if kept and kept[0].jets >= most and (kept[0].jets >= jets or len(kept) == (1 if kinds is None else _STREAMS)):
            return kept
        kept.clear()
        self._kept.clear()  # memory of other batches

        def pieces(most: int) -> list[_Piece]:
            grid = min(self._grid, -(-most // BLOCK_JETS))
            if kinds is None:
                return [_Piece(self._owner, most, grid, (), ())]
            count = min(_STREAMS, -(-jets // most))
            return [_Piece(self._owner, most, grid, columns, kinds) for _ in range(count)]

        return self._with_memory(pieces, most)

    def _with_memory(self, make: Callable[[int], _T], most: int) -> _T:
        """What `make` gives for `most` jets, or for half of them, and so on, as memory allows."""
        while True:
            try:
                return make(most)
            except Exception as error:
                if not is_short_of_memory(error):
                    raise
                if most <= BLOCK_JETS:
                    raise L1emuError(
                        "too little memory on the GPU",
                        where=f"GPU {self._number}",
                        expected=f"room for {BLOCK_JETS} jets, or a target that needs no GPU: simd, portable, exact",
                    ) from error
                self._kept.clear()
                self._most = most = max(most // 2 // BLOCK_JETS, 1) * BLOCK_JETS

    def _start(self, piece: _Piece, columns: _Columns, first: int, last: int) -> None:
        jets, stream = last - first, piece.stream
        for array, here, given in zip(columns, piece.here, piece.given, strict=True):
            self._owner.copy(here[:jets], array[first:last])
            given[:jets].copy_to_device(here[:jets], stream=stream)
        piece.odd.copy_to_device(piece.even_here, stream=stream)
        self._cast([given[:jets] for given in piece.given], piece)
        self._launch(piece, jets, piece.out)
        for out, here in zip(piece.out, piece.out_here, strict=True):
            out[:jets].copy_to_host(here[:jets], stream=stream)
        piece.odd.copy_to_host(piece.odd_here, stream=stream)
        piece.running = first, last

    def _finish(self, piece: _Piece, outputs: Sequence[NDArray[Any]]) -> bool:
        """Wait for a piece, and take what it gives; whether no number was odd."""
        if piece.running is None:
            return True
        first, last = piece.running
        piece.running = None
        piece.stream.synchronize()
        for here, into in zip(piece.out_here, outputs, strict=True):
            self._owner.copy(into[first:last], here[: last - first])
        return not piece.odd_here[0]

    # -- kernels -------------------------------------------------------------------------------------------------

    def _cast(self, given: _Columns, piece: _Piece) -> None:
        """Inputs on the GPU to raw integers."""
        column = 0
        for tensor, x in zip(self._owner.inputs, given, strict=True):
            how = max(min(self._grid * 4, -(-x.shape[0] * x.shape[1] // BLOCK_JETS)), 1), BLOCK_JETS, piece.stream
            if x.dtype.kind == "f":
                self._floats[how](x, piece.raw, column, *cast_arguments(tensor.type), piece.odd)
            else:
                self._integers[how](x, piece.raw, column, tensor.type.low, tensor.type.high, piece.odd)
            column += tensor.size

    def _launch(self, piece: _Piece, jets: int, outputs: _Columns, kernel: Any = None) -> None:
        blocks = -(-jets // BLOCK_JETS)
        arguments = [value for out in outputs for value in (out, KINDS_OUT[np.dtype(out.dtype)])]
        how = min(piece.grid, blocks), BLOCK_JETS, piece.stream
        raw = piece.raw[:blocks]
        (kernel or self._kernel)[how](raw, piece.words, piece.rows, *self._data, jets, *arguments)

    def on_device(self, columns: _Columns, kinds: Sequence[np.dtype[Any]]) -> list[Any]:
        """As `CudaProgram.on_device`: raw integers of a piece at a time, all in the order of one stream."""
        module, jets = cuda(), columns[0].shape[0]
        found = [module.device_array((jets, t.size), kind) for t, kind in zip(self._owner.results, kinds, strict=True)]
        if not jets:
            return found
        key = tuple(np.dtype(array.dtype) for array in columns)
        (piece,) = self._memory(key, columns, None)
        piece.odd.copy_to_device(piece.even_here, stream=piece.stream)
        for first in range(0, jets, piece.jets):
            last = min(first + piece.jets, jets)
            self._cast([array[first:last] for array in columns], piece)
            self._launch(piece, last - first, [out[first:last] for out in found])
        piece.odd.copy_to_host(piece.odd_here, stream=piece.stream)
        piece.stream.synchronize()
        self._kept = {key: [piece]}
        if piece.odd_here[0]:
            raise L1emuError("NaN, or a raw integer outside the input's type", where="inputs on the GPU")
        return found

    # -- what is told of them ------------------------------------------------------------------------------------

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        """As `CudaProgram.profile`: each layer alone, on jets repeated until every thread has one, as on a full GPU."""
        layers = tuple(dict.fromkeys(call.layer for call in self._owner.program.module.calls))
        ends = np.cumsum([t.size for t in self._owner.inputs])[:-1]
        with self._here():
            jets = self._grid * BLOCK_JETS
            columns = np.split(np.resize(raw, (jets, raw.shape[1])), ends, axis=1)
            columns = [np.ascontiguousarray(array) for array in columns]
            kinds = [np.dtype(np.float64)] * len(self._owner.results)
            piece = _Piece(self._owner, jets, self._grid, columns, kinds)
            self._start(piece, columns, 0, jets)
            piece.stream.synchronize()
            whole = self._seconds(piece, jets, self._kernel)
            spent = {}
            for layer in layers:
                kernel = kernels.started(kernels.jets_kernel(self._owner.program, layer))
                spent[layer] = self._seconds(piece, jets, kernel)
        return spent | {"starting, loading and storing": max(whole - sum(spent.values()), 0.0)}

    def _seconds(self, piece: _Piece, jets: int, kernel: Any) -> float:
        """The least time of a kernel, a jet; the first run compiles it."""
        least = float("inf")
        for _ in range(_PROFILED):
            piece.stream.synchronize()
            begin = time.perf_counter()
            self._launch(piece, jets, piece.out, kernel)
            piece.stream.synchronize()
            least = min(least, time.perf_counter() - begin)
        return least / jets

    def limits(self) -> str:
        """As `CudaProgram.limits`."""
        if simulated():
            return "one kernel, a thread a jet, in numba's simulator: no registers, no shared memory"
        if not self._kernel.overloads:
            self._owner.compile(np.zeros(1, self._owner.raw_kind))
        with self._here():
            device = cuda().get_current_device()
            kernel = next(iter(self._kernel.overloads.values()))
            return occupancy(
                int(kernel.regs_per_thread),
                int(kernel.shared_mem_per_block),
                int(kernel.local_mem_per_thread),
                int(device.MAX_REGISTERS_PER_MULTIPROCESSOR),
                int(device.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
                int(device.MAX_THREADS_PER_MULTIPROCESSOR),
            )


def occupancy(registers: int, shared: int, local: int, file: int, memory: int, threads: int) -> str:
    """What limits how many blocks are at work on a multiprocessor, in words.

    Parameters
    ----------
    registers, local
        Registers and bytes of local memory of a thread.
    shared
        Bytes of shared memory of a block; the system takes 1024 more.
    file, memory, threads
        Registers, bytes of shared memory and threads of a multiprocessor.
    """
    by = {
        "registers": file // (-(-registers // 8) * 8 * BLOCK_JETS),
        "shared memory": memory // (shared + 1024),
        "threads": threads // BLOCK_JETS,
    }
    what = min(by, key=lambda name: by[name])
    return (
        f"one kernel, a thread a jet: {registers} registers, {local} bytes of local memory, {shared} bytes of shared "
        f"memory a block; {by[what]} blocks of {BLOCK_JETS} a multiprocessor, limited by {what}"
    )


def _some(array: NDArray[Any]) -> NDArray[Any]:
    """An array that is not empty, which a GPU cannot have."""
    return array if array.size else np.zeros(1, array.dtype)
