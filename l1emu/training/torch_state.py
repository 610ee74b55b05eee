"""The arrays of a PyTorch state_dict, read without PyTorch: the .pt of `torch.save`, or an .npz of the same names.

A .pt is a zip of a pickle and of the bytes of its tensors. The pickle may name the few things alone that a state_dict
is made of; whatever else it names is refused before it is made, so that no code of the file runs.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.arrays import RATIO, UNPACKED, read_npz
from l1emu.errors import L1emuError
from l1emu.files import open_regular

StateDict = dict[str, npt.NDArray[np.float64]]

_STORAGES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bf16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}  # fmt: skip
_ADVICE = "a state_dict: torch.save(model.state_dict(), 'part.pt'), or numpy.savez of its arrays by their names"
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError, RuntimeError,
    NotImplementedError, ImportError, MemoryError, zipfile.BadZipFile, pickle.UnpicklingError,
)  # fmt: skip


def read_state(path: Path) -> StateDict:
    """The arrays by their names, float64.

    Raises
    ------
    L1emuError
        if there is no such file, or it is no state_dict: another pickle, or a whole model.
    """
    if not path.exists():
        raise L1emuError("no such file", path=path, expected=_ADVICE)
    if path.suffix == ".npz":
        found: Mapping[str, Any] = read_npz(path)
    else:
        try:
            with open_regular(path) as file, zipfile.ZipFile(file) as archive:
                found = _Archive(archive, max(UNPACKED, RATIO * path.stat().st_size)).state()
        except _DAMAGE as error:
            raise L1emuError(
                f"not a readable state_dict: {(str(error).splitlines() or [''])[0][:200]}", path=path, expected=_ADVICE
            ) from None
    if not found or not all(isinstance(v, np.ndarray) and v.dtype.kind in "fiub" for v in found.values()):
        raise L1emuError("not arrays of numbers by name", path=path, expected=_ADVICE)
    return {str(name): array.astype(np.float64) for name, array in found.items()}


@dataclass(frozen=True)
class _Storage:
    kind: str


class _Archive:
    """The zip of a `torch.save`."""

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self.archive = archive
        pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("no data.pkl in it")
        self.folder = pickles[0].rpartition("/")[0]
        if sum(info.file_size for info in archive.infolist()) > limit:
            raise ValueError("it unpacks to more than it may")

    def member(self, name: str) -> bytes:
        return self.archive.read(f"{self.folder}/{name}" if self.folder else name)

    def state(self) -> dict[Any, Any]:
        if "byteorder" in {name.rpartition("/")[2] for name in self.archive.namelist()}:
            if self.member("byteorder").strip() != b"little":
                raise ValueError("its bytes are in big-endian order")
        found = _Unpickler(self).load()
        while isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
            found = found["state_dict"]  # a checkpoint of a training
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}")
        return found

    def storage(self, saved: Any) -> npt.NDArray[Any]:
        """The numbers of a storage, as `torch.save` names it."""
        what, kind, key, _, count = saved
        if what != "storage" or not isinstance(kind, _Storage) or not str(key).isalnum():
            raise ValueError("a tensor without storage")
        raw = self.member(f"data/{key}")
        if kind.kind == "bf16":  # the upper half of a float32
            numbers: npt.NDArray[Any] = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            numbers = np.frombuffer(raw, kind.kind)
        if len(numbers) != count:
            raise ValueError(f"{len(numbers)} numbers in place of {count}")
        return numbers


class _Unpickler(pickle.Unpickler):
    """Makes dictionaries, numbers, texts and tensors, and nothing else."""

    def __init__(self, archive: _Archive) -> None:
        super().__init__(io.BytesIO(archive.member("data.pkl")))
        self.archive = archive

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return _Storage(_STORAGES[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        raise pickle.UnpicklingError(f"it holds a {module}.{name}"[:200])

    def persistent_load(self, pid: Any) -> npt.NDArray[Any]:
        return self.archive.storage(pid)


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> npt.NDArray[Any]:
    """What `torch._utils._rebuild_tensor_v2` makes, copied out of its storage."""
    shape, strides = (tuple(int(n) for n in numbers) for numbers in (shape, strides))
    if len(shape) != len(strides) or min((*shape, *strides, offset), default=0) < 0:
        raise ValueError("a tensor of wrong sizes")
    if math.prod(shape) and offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) >= len(storage):
        raise ValueError("a tensor beyond its storage")
    if math.prod(shape) > max(len(storage), 1):
        raise ValueError("a tensor larger than its storage")
    steps = [s * storage.itemsize for s in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False).copy()


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor
