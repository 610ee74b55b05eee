"""What the first pass over a part of a sample leaves on disk: a zip of numpy arrays, and a document that names them.

Nothing in it is executed when it is read. The zip's own check sums tell damage, its directory at the end truncation.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.files import open_regular, write_aside

_DOCUMENT = "part.json"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # equal content is equal bytes
_KIND = "l1emu part"
PART_VERSION = 2
"""Of the layout of part files."""


class PartWriter:
    """Writes arrays by name; made by `part_writer`."""

    def __init__(self, container: zipfile.ZipFile) -> None:
        self._zip = container

    def array(self, name: str, values: npt.NDArray[Any]) -> None:
        """Write an array."""
        entry = zipfile.ZipInfo(f"{name}.npy", _FIXED_DATE)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with self._zip.open(entry, "w", force_zip64=True) as stream:
            np.save(stream, np.ascontiguousarray(values), allow_pickle=False)

    def document(self, content: Mapping[str, Any]) -> None:
        """Write the document, in which dataclasses and arrays may stand: last, and once."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        packed = _packed(dict(content), "", arrays)
        for name, values in arrays.items():
            self.array(name, values)
        text = json.dumps({"kind": _KIND, "version": PART_VERSION, "content": packed}, sort_keys=True)
        self._zip.writestr(zipfile.ZipInfo(_DOCUMENT, _FIXED_DATE), text)


def _packed(value: Any, name: str, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """A value for JSON: arrays by their name, dataclasses by their fields."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if is_dataclass(value):
        return {f.name: _packed(getattr(value, f.name), f"{name}/{f.name}", arrays) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _packed(item, f"{name}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_packed(item, f"{name}/{i}", arrays) for i, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def part_writer(path: str | os.PathLike[str]) -> Iterator[PartWriter]:
    """Write a part file: aside, and renamed when the block ends without an error."""
    with write_aside(path) as aside, zipfile.ZipFile(aside, "w", compresslevel=1) as container:
        yield PartWriter(container)


class PartReader:
    """An open part file; made by `part_reader`."""

    def __init__(self, path: Path, container: zipfile.ZipFile) -> None:
        self._path, self._zip = path, container

    def array(self, name: str) -> npt.NDArray[Any]:
        """One array.

        Raises
        ------
        L1emuError
            if it is not there, or damaged.
        """
        with self._damage(name), self._zip.open(f"{name}.npy") as stream:
            content = stream.read()  # to the end, where the check sum is looked at
            found: npt.NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
            return found

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._zip.NameToInfo

    def document(self) -> dict[str, Any]:
        """The document, with the arrays that stand in it.

        Raises
        ------
        L1emuError
            if it is another file, of another version, or damaged.
        """
        content = self.content()
        return {key: self._unpacked(value) for key, value in content.items()}

    def content(self) -> dict[str, Any]:
        """The document as it is written: arrays by name, none of them read."""
        with self._damage(_DOCUMENT):
            found = json.loads(self._zip.read(_DOCUMENT))
        if not isinstance(found, dict) or found.get("kind") != _KIND or not isinstance(found.get("content"), dict):
            raise L1emuError("not a part of a study", path=self._path, expected="a file of `l1emu batch shard`")
        if found.get("version") != PART_VERSION:
            raise L1emuError(
                "a part of another version of l1emu", path=self._path, value=found.get("version"),
                expected=str(PART_VERSION),
            )  # fmt: skip
        return dict(found["content"])

    def _unpacked(self, value: Any) -> Any:
        if isinstance(value, dict):
            if list(value) == ["array"]:
                return self.array(str(value["array"]))
            return {key: self._unpacked(item) for key, item in value.items()}
        return [self._unpacked(item) for item in value] if isinstance(value, list) else value

    @contextmanager
    def _damage(self, name: str) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError, NotImplementedError) as error:
            raise L1emuError(
                f"a damaged part of a study ({error})", path=self._path, where=name, expected="the shard made again"
            ) from None


@contextmanager
def part_reader(path: str | os.PathLike[str]) -> Iterator[PartReader]:
    """Open a part file.

    Raises
    ------
    L1emuError
        if it is absent, truncated or another file.
    """
    with open_regular(path) as stream:
        yield PartReader(Path(path), _opened(stream, Path(path)))


def _opened(stream: IO[bytes], path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError):
        raise L1emuError(
            "truncated, or not a part of a study", path=path, expected="a whole file of `l1emu batch shard`"
        ) from None
