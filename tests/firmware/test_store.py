"""Saved firmware: equal bytes for equal firmware, and no damage goes unnoticed."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typing_extensions import TypeAliasType, TypeVar

from l1emu import Firmware
from l1emu.errors import L1emuError
from l1emu.firmware import reference, store
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Einsum, Relu, Tensor
from tests.handmade_projects import every_kind


def tiny(weight: int = 3) -> Firmware:
    kind = FixedPoint.parse("ap_fixed<8,4,AP_RND_CONV,AP_SAT>")
    x, h, y = Tensor("x", (2,), kind), Tensor("h", (2,), kind), Tensor("y", (2,), kind)
    weights = np.array([[weight, -1], [2, 100]])
    bias = np.array([5, -6])
    dense = Dense("dense", (x,), h, 1, 2, 2, weights, kind, bias, kind, kind, np.arange(2))
    return Firmware("top", "Vitis", (x,), (y,), (dense, Relu("relu", (h,), y)), {"project": "tiny", "n": 3})


def equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    return bool(a == b)


def test_what_has_its_default_is_not_stored(tmp_path: Path) -> None:
    """A file keeps its bytes and its hash when a kind of layer gets another field, with a default."""
    kind = FixedPoint.parse("ap_fixed<8,4>")
    x, y = Tensor("x", (2, 2), kind), Tensor("y", (2, 2), kind)
    einsum = Einsum("e", (x, x), y, (0, 1), (0, 1), 1, 2, 2, 2, (2, 2), (0, 1), kind)
    for layer, stored in ((einsum, False), (dataclasses.replace(einsum, product_type=kind), True)):
        path = tmp_path / f"{stored}.l1fw"
        fw = Firmware("top", "Vitis", (x,), (y,), (layer,))
        fw.save(path)
        assert (b"product_type" in path.read_bytes()) is stored
        assert Firmware.read(path).content_hash == fw.content_hash


def test_everything_returns(tmp_path: Path) -> None:
    fw = Firmware.read(every_kind(tmp_path / "p", 2))
    fw.save(tmp_path / "fw.l1fw")
    back = Firmware.read(tmp_path / "fw.l1fw")
    assert (back.name, back.backend, back.origin) == (fw.name, fw.backend, fw.origin)
    assert (back.inputs, back.outputs) == (fw.inputs, fw.outputs)
    assert back.content_hash == fw.content_hash
    for a, b in zip(fw.layers, back.layers, strict=True):
        assert type(a) is type(b)
        for field in dataclasses.fields(a):
            assert equal(getattr(a, field.name), getattr(b, field.name)), (a.name, field.name)
    raw = np.random.default_rng(1).integers(fw.inputs[0].type.low, fw.inputs[0].type.high, (50, 24))
    for name, values in reference.run(fw, raw).items():
        np.testing.assert_array_equal(reference.run(back, raw)[name], values)


def test_equal_firmware_gives_equal_bytes(tmp_path: Path) -> None:
    tiny().save(tmp_path / "a.l1fw")
    tiny().save(tmp_path / "b.l1fw")
    Firmware.read(tmp_path / "a.l1fw").save(tmp_path / "c.l1fw")
    first = (tmp_path / "a.l1fw").read_bytes()
    assert first == (tmp_path / "b.l1fw").read_bytes() == (tmp_path / "c.l1fw").read_bytes()
    tiny(4).save(tmp_path / "d.l1fw")
    assert first != (tmp_path / "d.l1fw").read_bytes()


def test_content_hash_covers_what_decides_the_numbers() -> None:
    fw = tiny()
    assert len(fw.content_hash) == 64
    assert dataclasses.replace(fw, origin={}, backend="Vivado").content_hash == fw.content_hash
    assert tiny(4).content_hash != fw.content_hash
    kind = FixedPoint.parse("ap_fixed<8,4,AP_RND,AP_SAT>")
    y = Tensor("y", (2,), kind)
    relu = dataclasses.replace(fw.layers[1], output=y)
    assert dataclasses.replace(fw, outputs=(y,), layers=(fw.layers[0], relu)).content_hash != fw.content_hash


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "fw.l1fw"
    tiny().save(path)
    data = path.read_bytes()
    for place in range(len(data)):
        spoiled = bytearray(data)
        spoiled[place] ^= 1 << (place % 8)
        path.write_bytes(spoiled)
        with pytest.raises(L1emuError) as error:
            Firmware.read(path)
        assert str(path) in str(error.value)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "fw.l1fw"
    tiny().save(path)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(L1emuError):
            Firmware.read(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(L1emuError, match="bytes after its end"):
        Firmware.read(path)


def forged(document: bytes, version: int = store.VERSION) -> bytes:
    """A file whose hash fits."""
    body = struct.pack("<Q", len(document)) + document
    return struct.pack("<8sIQ32s", store.STORE_MAGIC, version, len(body), hashlib.sha256(body).digest()) + body


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04" + b"0" * 80, "not a firmware file"),
        (b"", "not a firmware file"),
        (store.STORE_MAGIC, "truncated"),
        (forged(b"{}", version=9), "unknown version"),
        (forged(b"{}"), "not well-formed"),
        (forged(b'{"graph": {"tensors": {}, "layers": [{"kind": "gelu"}]}}'), "not well-formed"),
        (forged(b"not json"), "not well-formed"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "fw.l1fw"
    path.write_bytes(data)
    with pytest.raises(L1emuError, match=told):
        Firmware.read(path)
    with pytest.raises(L1emuError, match="no such file"):
        Firmware.read(tmp_path / "none.l1fw")


def test_graphs_that_do_not_fit_are_refused() -> None:
    fw = tiny()
    with pytest.raises(L1emuError, match="nothing before it wrote"):
        dataclasses.replace(fw, layers=fw.layers[::-1])
    with pytest.raises(L1emuError, match="second layer"):
        dataclasses.replace(fw, layers=(*fw.layers, fw.layers[1]))
    with pytest.raises(L1emuError, match="never written"):
        dataclasses.replace(fw, layers=fw.layers[:1])
    with pytest.raises(L1emuError, match="outside its type"):
        tiny(200)


def test_arrays_are_known_by_an_alias_too() -> None:
    """As numpy 2.5 annotates them; here by an alias of our own, whatever numpy is here."""
    variable: Any = TypeVar  # under other names, or mypy takes them for declarations
    make: Any = TypeAliasType
    array, one = np.ndarray.__class_getitem__, variable("one", bound=np.generic)
    alias = make("alias", array((Any, one)), type_params=(one,))
    assert store._fits(np.arange(3), alias[np.int64])
    assert not store._fits(3, alias[np.int64])
