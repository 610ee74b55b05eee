"""Firmware files that somebody made, with hashes that fit: refused in one line, or whole enough to be emulated."""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu import Firmware
from l1emu.errors import L1emuError
from l1emu.firmware import reference, store
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Gather, Relu, Tensor
from tests.fuzzing import altered, damaged, refused
from tests.handmade_projects import every_kind

Document = dict[str, Any]


def small() -> Firmware:
    kind = FixedPoint.parse("ap_fixed<8,4,AP_RND_CONV,AP_SAT>")
    x, g, h, y = (Tensor(name, (2,), kind) for name in "xghy")
    dense = Dense(
        "dense", (g,), h, 1, 2, 2, np.array([[3, -1], [2, 100]]), kind, np.array([5, -6]), kind, kind, np.arange(2)
    )
    gather = Gather("gather", (x,), g, np.array([1, -1]), 0)
    return Firmware("top", "Vitis", (x,), (y,), (gather, dense, Relu("relu", (h,), y)), {"project": "tiny"})


def taken_apart(path: Path) -> tuple[Document, bytes]:
    body = path.read_bytes()[store._HEADER.size :]
    size = struct.unpack_from("<Q", body)[0]
    return json.loads(body[8 : 8 + size]), body[8 + size :]


def forged(document: Any, arrays: bytes) -> bytes:
    """A file of which all hashes fit, whatever is in it."""
    if isinstance(document, dict) and "graph" in document:
        graph = json.dumps(document["graph"], sort_keys=True, separators=(",", ":")).encode()
        document["content_hash"] = hashlib.sha256(graph + arrays).hexdigest()
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    body = struct.pack("<Q", len(text)) + text + arrays
    return struct.pack("<8sIQ32s", store.STORE_MAGIC, store.VERSION, len(body), hashlib.sha256(body).digest()) + body


def _set(*keys: str | int, to: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        node: Any = document
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = to

    return change


L = ("graph", "layers")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("graph", "tensors", "x", "shape", to=[1 << 40]), "tensor x: .*not a shape"),
        (_set("graph", "tensors", "x", "shape", to=[-2, -1]), "not a shape"),
        (_set("graph", "tensors", "x", "shape", to=[True, 2]), "not a shape"),
        (_set("graph", "tensors", "x", "type", to="ap_fixed<1000000000,4>"), "too wide a type"),
        (_set("graph", "tensors", "x", "type", to=7), "not a fixed-point type"),
        (_set("graph", "inputs", to="x"), "inputs: .*not tensors"),
        (_set("graph", "inputs", to=[{"tensor": "nobody"}]), "KeyError"),
        (_set("graph", "outputs", to=[]), "an input and an output"),
        (_set(*L, 1, "n_in", to="2"), "layer dense: .*does not have: got {'n_in': '2'}"),
        (_set(*L, 1, "n_in", to=True), "got {'n_in': True}"),
        (_set(*L, 1, "n_in", to=-2), "layer dense: .*out of range: got {'n_in': -2}"),
        (_set(*L, 1, "positions", to=1 << 40), "out of range"),
        (_set(*L, 1, "bias", to=[5, -6]), "got {'bias': "),
        (_set(*L, 1, "bias", to=None), "got {'bias': None}"),
        (_set(*L, 1, "bias_type", to=None), "got {'bias_type': None}"),
        (_set(*L, 1, "nonsense", to=1), "got {'nonsense': 1}"),
        (_set(*L, 1, "weight", to={"array": [0, "<i1", [1 << 20, 1 << 20]]}), "more numbers than there are"),
        (_set(*L, 1, "weight", to={"array": [0, "<i1", [0, 1 << 60]]}), "more numbers than there are"),
        (_set(*L, 1, "weight", to={"array": [1 << 70, "<i1", [0]]}), "more numbers than there are"),
        (_set(*L, 1, "weight", to={"array": [0, "<f8", [2]]}), "not an array"),
        (_set(*L, 1, "weight", to={"array": [0, "|O", [2]]}), "not an array"),
        (_set(*L, 1, "weight", to={"array": [-2, "<i1", [2, 2]]}), "not an array"),
        (_set(*L, 1, "weight", to={"array": [0, "<i1", [2, -2]]}), "not an array"),
        (_set(*L, 1, "weight", to={"array": 3}), "TypeError"),
        (_set(*L, 1, "weight", to={"pickle": "gASV"}), "an unknown tag"),
        (_set(*L, 1, "inputs", to=[]), "layer dense: .*without an input"),
        (_set(*L, 1, "inputs", to=[{"tensor": "y"}]), "nothing before it wrote"),
        (_set(*L, 1, "name", to=["dense"]), "name: .*of another kind"),
        (_set(*L, 1, "kind", to="gelu"), "an unknown kind of layer: got 'gelu'"),
        (_set(*L, 1, to=None), "kind: "),
        (_set(*L, 0, "source", to={"array": [0, "<i1", [1]]}), "places outside the input"),
        (_set("name", to=1), "name: "),
        (_set("origin", to=[]), "origin: "),
        (_set("graph", to=[]), "tensors: "),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, change: Callable[[Document], None], words: str) -> None:
    path = tmp_path / "fw.l1fw"
    small().save(path)
    document, arrays = taken_apart(path)
    path.write_bytes(forged(copy.deepcopy(document), arrays))
    assert Firmware.read(path).content_hash == small().content_hash
    change(document)
    path.write_bytes(forged(document, arrays))
    with pytest.raises(L1emuError, match=words) as error:
        Firmware.read(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("number", [2, -2, 127])
def test_places_outside_the_input_are_refused(tmp_path: Path, number: int) -> None:
    path = tmp_path / "fw.l1fw"
    small().save(path)
    document, arrays = taken_apart(path)
    changed = bytearray(arrays)
    changed[document["graph"]["layers"][0]["source"]["array"][0]] = number % 256
    path.write_bytes(forged(document, bytes(changed)))
    with pytest.raises(L1emuError, match=r"layer gather: .*places outside the input"):
        Firmware.read(path)


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "fw.l1fw", "wb") as file:
        file.truncate(1 << 30)
    for path, words in ((tmp_path / "fw.l1fw", "too large"), (Path("/dev/zero"), "not a regular file")):
        with pytest.raises(L1emuError, match=words):
            Firmware.read(path)


@cache
def _whole(folder: Path) -> tuple[list[tuple[Document, bytes]], list[bytes]]:
    small().save(folder / "small.l1fw")
    Firmware.read(every_kind(folder / "project", 2)).save(folder / "every.l1fw")
    files = [folder / "small.l1fw", folder / "every.l1fw"]
    return [taken_apart(file) for file in files], [file.read_bytes() for file in files]


def fuzz(folder: Path, inputs: int, seed: int) -> int:
    """Craft so many files, and compute what is read; how many were refused."""
    parts, files = _whole(folder)
    rng, path, wrong = np.random.default_rng(seed), folder / "x.l1fw", 0
    for place in range(inputs):
        document, arrays = parts[place % 2]
        if place % 5 == 0:
            data = damaged(files[place % 2], rng)
        elif place % 5 == 1:
            changed = bytearray(arrays)
            for at in rng.integers(0, len(arrays), 3):
                changed[at] = int(rng.integers(0, 256))
            data = forged(copy.deepcopy(document), bytes(changed))
        else:
            crafted = copy.deepcopy(document)
            crafted["graph"] = altered(document["graph"], rng)
            data = forged(crafted, arrays)
        path.write_bytes(data)
        if refused(lambda: Firmware.read(path)) is not None:
            wrong += 1
            continue
        firmware = Firmware.read(path)
        if len(firmware.inputs) == 1 and firmware.inputs[0].type.width < 63:
            raw = np.zeros((2, firmware.inputs[0].size), np.int64)
            refused(partial(reference.run, firmware, raw))
    return wrong


def test_crafted_files_are_refused_or_computed(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 250, seed=1) > 0


@pytest.mark.exhaustive
def test_many_crafted_files_are_refused_or_computed(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 8000, seed=2) > 0
