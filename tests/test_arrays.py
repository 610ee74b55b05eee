"""numpy's files of others: read as numpy reads them, or refused in one line before memory is taken."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu import arrays
from l1emu.arrays import check_array, is_npy, read_npy, read_npz
from l1emu.cli.arrays import read_arrays
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Tensor
from tests.fuzzing import altered_array, damaged, refused

PLAIN = [
    np.arange(6, dtype=np.int16).reshape(2, 3),
    np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    np.arange(6, dtype=">i4"),
    np.linspace(0, 1, 5, dtype=np.float16),
    np.array([[True, False]]),
    np.array(["b", "light"]),
    np.array("text"),
    np.array(3),
    np.zeros((0, 4), np.float32),
    np.arange(10)[::2],
    np.array([2**64 - 1], np.uint64),
    np.array([b"ab", b"c"]),
]


def npy(array: Any, **how: Any) -> bytes:
    stream = io.BytesIO()
    layout: Any = np.lib.format  # NumPy has no types for its functions
    layout.write_array(stream, np.asanyarray(array), **how)
    return stream.getvalue()


def raw_npy(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode("latin1")
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def described(descr: str, shape: str, order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize("array", PLAIN, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_plain_arrays_are_read(array: NDArray[Any], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", a=array, b=array)
    np.savez_compressed(tmp_path / "c.npz", array)
    for found in (
        read_npy(tmp_path / "a.npy"),
        read_npz(tmp_path / "a.npz")["b"],
        read_npz(tmp_path / "a.npz", ["a"])["a"],
        read_npz(tmp_path / "c.npz")["arr_0"],
    ):
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, array, strict=found.dtype == array.dtype)
        assert found.flags.f_contiguous == np.load(tmp_path / "a.npy").flags.f_contiguous
    (tmp_path / "2.npy").write_bytes(npy(array, version=(2, 0)))
    np.testing.assert_array_equal(read_npy(tmp_path / "2.npy"), array)


HOSTILE = {
    "empty": b"",
    "magic alone": b"\x93NUMPY",
    "no magic": b"hello, world",
    "terabytes": raw_npy(described("'<f8'", "(193514046488576,)"), bytes(8)),
    "overflowing": raw_npy(described("'<f8'", "(4611686018427387904, 4611686018427387904)"), bytes(8)),
    "zero times much": raw_npy(described("'<f8'", "(0, 9223372036854775807, 9223372036854775807)")),
    "many dimensions": raw_npy(described("'<f8'", f"({'1,' * 100})"), bytes(8)),
    "negative": raw_npy(described("'<f8'", "(-1,)"), bytes(8)),
    "nothing wide": raw_npy(described("'<U0'", "(1000000000000000,)")),
    "cut": npy(np.arange(9.0))[:-1],
    "longer": npy(np.arange(9.0)) + b"\0",
    "objects": npy(np.array([{}], object), allow_pickle=True),
    "records": npy(np.zeros(2, [("a", "f4")])),
    "inner shape": raw_npy(described("('<f4', (2,))", "(1,)"), bytes(8)),
    "void": npy(np.zeros(2, "V4")),
    "complex": npy(np.zeros(2, complex)),
    "dates": npy(np.zeros(2, "M8[s]")),
    "long doubles": npy(np.zeros(2, np.longdouble)),
    "unfinished header": raw_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,"),
    "unfinished text": raw_npy("{'descr': '<f8"),
    "deep header": raw_npy("(" * 9000),
    "negated header": raw_npy("-" * 9000 + "1"),
    "endless number": raw_npy(described("'<f8'", f"({'9' * 5000},)")),
    "long header": raw_npy(" " * 60_000),
    "longer header": raw_npy(" " * 100_000, version=(2, 0)),
    "claimed header": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    "other keys": raw_npy("{'descr': '<f8'}"),
    "key twice": raw_npy("{'descr': '<f8', 'descr': '|O', 'fortran_order': False, 'shape': (1,)}", bytes(8)),
    "no dictionary": raw_npy("[]"),
    "a call": raw_npy("__import__('os').getcwd()"),
    "order": raw_npy(described("'<f8'", "(1,)", "'x'"), bytes(8)),
    "truth of 7": raw_npy(described("'|b1'", "(1,)"), b"\x07"),
    "no Unicode": raw_npy(described("'<U1'", "(1,)"), b"\xff\xff\xff\x7f"),
    "half of a pair": raw_npy(described("'<U1'", "(1,)"), b"\x00\xd8\x00\x00"),
    "version 3": npy(np.arange(2), version=(3, 0)),
    "version 9": b"\x93NUMPY\x09\x00" + npy(np.arange(2))[8:],
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_other_arrays_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    assert str(refused(lambda: read_npy(tmp_path / "a.npy"))).startswith(f"{tmp_path / 'a.npy'}: ")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", data)
    assert str(refused(lambda: read_npz(tmp_path / "a.npz"))).startswith(f"{tmp_path / 'a.npz'}: a: ")


def test_archives_of_others(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"

    def words(names: list[str] | None = None) -> str:
        return str(refused(lambda: read_npz(file, names)))

    with zipfile.ZipFile(file, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.npy", npy(np.arange(2)))
        archive.writestr("a.npy", npy(np.arange(3)))
    assert "an array that is there twice: got 'a'" in words()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", npy(np.arange(2)))
    assert words() == "None"
    np.savez(file, a=np.arange(2))
    assert "b: an array is missing: got ['a']" in words(["b"])
    whole = bytearray(file.read_bytes())
    whole[whole.index(b"\x93NUMPY") + 130] ^= 1  # one bit of the array
    file.write_bytes(whole)
    assert "not a readable npz: Bad CRC-32" in words()
    for cut in (4, 30, 100, len(whole) - 3):
        file.write_bytes(whole[:cut])
        assert "not a readable npz: File is not a zip file" in words()


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "UNPACKED", 1 << 20)
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(1 << 20, np.int16))
    np.savez(tmp_path / "large.npz", a=np.zeros(1 << 20, np.int16))
    assert "bomb.npz: too large when unpacked: got '2,097," in str(refused(lambda: read_npz(tmp_path / "bomb.npz")))
    assert read_npz(tmp_path / "large.npz")["a"].size == 1 << 20


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.npz")
    for path in (tmp_path / "fifo.npz", Path("/dev/zero")):
        for read in (read_npy, read_npz, is_npy):
            assert "not a regular file" in str(refused(partial(read, path)))
    assert "this is a folder" in str(refused(lambda: read_npz(tmp_path)))
    with open(tmp_path / "holes.npy", "wb") as file:
        file.write(raw_npy(described("'|i1'", f"({1 << 42},)")))
        file.truncate(file.tell() + (1 << 42))
    assert "too large for the memory that is free" in str(refused(lambda: read_npy(tmp_path / "holes.npy")))


@pytest.mark.parametrize(
    ("array", "how", "words"),
    [
        (np.zeros(2), {"kinds": "iu", "shape": (2,)}, "x: wrong type: got 'float64'; expected integers"),
        (np.zeros(2), {"kinds": "f", "shape": (3,)}, r"x: wrong shape: got \(2,\); expected \(3,\)"),
        (np.zeros((2, 1)), {"kinds": "f", "shape": (None, 2)}, r"wrong shape: got \(2, 1\); expected \(any, 2\)"),
        (np.zeros(()), {"kinds": "f", "shape": (None,)}, "wrong shape"),
        (np.array([1, 9]), {"kinds": "i", "shape": (2,), "high": 8}, "out of range: got 9; expected at most 8"),
        (np.array([-1, 9]), {"kinds": "i", "shape": (2,), "low": 0, "high": 9}, "got -1; expected 0 to 9"),
        (np.array([np.nan, 1]), {"kinds": "f", "shape": (2,), "low": 0}, "got nan; expected at least 0"),
        (np.array([np.nan, 1]), {"kinds": "f", "shape": (2,), "high": 0}, "got nan"),
        (np.array([2**63], np.uint64), {"kinds": "iu", "shape": (1,), "high": 2**63 - 1}, "got 9223372036854775808"),
    ],
)
def test_arrays_that_a_file_must_not_have(array: NDArray[Any], how: dict[str, Any], words: str) -> None:
    with pytest.raises(L1emuError, match=words):
        check_array(array, path="a.npz", where="x", **how)


def fuzz(folder: Path, inputs: int, seed: int) -> int:
    """Damage or change the arrays of a .npy and a .npz so often; how many files were refused."""
    rng, wrong = np.random.default_rng(seed), 0
    good = {"x": np.arange(12, dtype=np.int16).reshape(3, 4), "y": np.linspace(0, 1, 5), "z": np.array(["a", "bc"])}
    np.savez(folder / "good.npz", **good)
    np.savez_compressed(folder / "packed.npz", **good)
    bytes_of = [npy(good["x"]), *((folder / f"{name}.npz").read_bytes() for name in ("good", "packed"))]
    file = folder / "a.npz"
    for place in range(inputs):
        if place % 4 == 3:
            np.savez(file, **{name: altered_array(array, rng) for name, array in good.items()})
        else:
            file.write_bytes(damaged(bytes_of[place % 4], rng))
        tensors = [Tensor(name, (3,), FixedPoint(10, 4, True)) for name in ("xyz" if place % 4 else "x")]
        wrong += refused(partial(read_arrays, file, tensors)) is not None
    return wrong


def test_damaged_arrays_are_read_or_refused(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 1000, seed=1) > 0


@pytest.mark.exhaustive
def test_many_damaged_arrays_are_read_or_refused(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 50_000, seed=2) > 0
