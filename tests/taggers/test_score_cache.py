"""Outputs from the disk: those that the emulator would give, to the last bit, or none."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Tensor
from l1emu.taggers import score_cache
from l1emu.taggers.score_cache import ScoreCache
from tests.emulator.random_firmware import random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware
from tests.taggers.toys import beside, crossings, flat_network, settings

Inputs = dict[str, npt.NDArray[Any]]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of what is kept; what is kept is worth it, whatever it costs."""
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("L1EMU_SCORE_CACHE_MB", raising=False)
    monkeypatch.setattr(score_cache, "_WORTH", 0)
    return tmp_path / "scores"


@pytest.fixture(scope="module")
def firmware() -> Firmware:
    return tagger_firmware(blocks=0, constituents=4, width=4, hidden=4)


def emulator(firmware: Firmware) -> Emulator:
    return Emulator(firmware, target="exact")  # compiled once for all firmware


def floats(firmware: Firmware, jets: int, seed: int = 1) -> Inputs:
    rng = np.random.default_rng(seed)
    return {t.name: rng.normal(0, 3, (jets, *t.shape)).astype(np.float32) for t in firmware.inputs}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def forbidden(*_: Any) -> Any:
    raise AssertionError("emulated again")


def same(found: Inputs, expected: Inputs) -> bool:
    assert found.keys() == expected.keys()
    return all(
        a.dtype == expected[name].dtype and a.shape == expected[name].shape and a.tobytes() == expected[name].tobytes()
        for name, a in found.items()
    )


def test_a_second_emulator_takes_the_outputs_of_the_first(
    folder: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = floats(firmware, 300)
    first, seconds = ScoreCache(emulator(firmware)).outputs(x)
    assert seconds is not None and len(files(folder)) == 1
    monkeypatch.setattr(Emulator, "__call__", forbidden)
    again, seconds = ScoreCache(emulator(firmware)).outputs(x)
    assert seconds is None and same(again, first)
    assert all(values.flags.writeable for values in again.values())


@pytest.mark.parametrize("seed", range(12))
def test_outputs_of_any_type_come_back(folder: Path, seed: int) -> None:
    firmware = random_firmware(seed, 4)
    x = {t.name: t.type.to_float(random_inputs(firmware, 50, seed)[t.name]) for t in firmware.inputs}
    found = emulator(firmware)(x)
    expected = found if isinstance(found, dict) else {firmware.outputs[0].name: found}
    for known in (False, True):
        given, seconds = ScoreCache(emulator(firmware)).outputs(x)
        assert (seconds is None) == known and same(given, expected)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("ap_ufixed<8,0>", "|u1"), ("ap_fixed<8,9>", "|i1"), ("ap_fixed<9,-3>", "<i2"), ("ap_ufixed<16,4>", "<u2"),
     ("ap_fixed<33,3>", "<i8"), ("ap_ufixed<53,3>", "<u8"), ("ap_fixed<54,3>", "<f8"), ("ap_ufixed<64,3>", "<f8")],
)  # fmt: skip
def test_every_width_is_kept_exactly(type_: str, kind: str) -> None:
    fixed = FixedPoint.parse(type_)
    tensor = Tensor("y", (2, 3), fixed)
    assert score_cache._kind(tensor).str == kind
    raw = np.array([fixed.low, fixed.high, 0, 1, fixed.high // 3, fixed.low // 3], object).reshape(1, 2, 3)
    found = {"y": fixed.to_float(raw).astype(np.float64)}
    back = score_cache._unpacked(score_cache._packed(found, (tensor,)), (tensor,), 1)
    assert back is not None and same(back, found)


def test_anything_that_differs_is_another_batch(folder: Path, firmware: Firmware) -> None:
    x = floats(firmware, 20)
    (name,) = x
    other = tagger_firmware(blocks=0, constituents=4, width=5, hidden=4)
    touched = x[name].copy()
    touched[-1, -1, -1] = np.nextafter(touched[-1, -1, -1], np.float32(9))
    batches = [
        (firmware, x),
        (firmware, {name: x[name].astype(np.float64)}),
        (firmware, {name: touched}),
        (firmware, {name: x[name][:-1]}),
        (firmware, {name: x[name][:0]}),
        (other, x),
    ]
    for number, (of, inputs) in enumerate(batches, 1):
        assert ScoreCache(emulator(of)).outputs(inputs)[1] is not None
        assert len(files(folder)) == number
    for of, inputs in batches:
        assert ScoreCache(emulator(of)).outputs(inputs)[1] is None


def test_a_new_version_of_the_kernels_emulates_anew(
    folder: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = floats(firmware, 20)
    ScoreCache(emulator(firmware)).outputs(x)
    monkeypatch.setattr(score_cache, "key", lambda: "another")
    assert ScoreCache(emulator(firmware)).outputs(x)[1] is not None


def test_what_is_damaged_or_of_others_is_made_again(folder: Path, firmware: Firmware) -> None:
    x, y = floats(firmware, 50), floats(firmware, 50, seed=2)
    expected, _ = ScoreCache(emulator(firmware)).outputs(x)
    (path,) = files(folder)
    whole = path.read_bytes()
    ScoreCache(emulator(firmware)).outputs(y)
    (another,) = (file for file in files(folder) if file != path)
    draw = random.Random(3)
    contents = [b"", whole[:40], whole + b"x", another.read_bytes(), draw.randbytes(len(whole))]
    contents += [bytes(byte ^ (1 << draw.randrange(8)) if i == at else byte for i, byte in enumerate(whole))
                 for at in (draw.randrange(len(whole)) for _ in range(100))]  # fmt: skip
    for content in contents:
        path.write_bytes(content)
        found, seconds = ScoreCache(emulator(firmware)).outputs(x)
        assert seconds is not None and same(found, expected)
        assert path.read_bytes() == whole
    for open_, mode in [(path, 0o666), (path.parent, 0o777), (folder, 0o777)]:
        before = open_.stat().st_mode & 0o777
        open_.chmod(mode)
        assert ScoreCache(emulator(firmware)).outputs(x)[1] is not None
        open_.chmod(before)
        path.chmod(0o644)
        assert ScoreCache(emulator(firmware)).outputs(x)[1] is None


def test_whole_bytes_of_another_kind_are_no_outputs(firmware: Firmware) -> None:
    tensors = firmware.outputs
    good = score_cache._packed(ScoreCache(emulator(firmware))._emulated(floats(firmware, 7))[0], tensors)
    assert score_cache._unpacked(good, tensors, 7) is not None
    for jets, content in [(6, good), (8, good), (7, b""), (7, b"no zlib"), (7, good[:-1])]:
        assert score_cache._unpacked(content, tensors, jets) is None


def test_what_was_used_last_stays(folder: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_cache, "cache_limit", lambda *_: 40_000)
    cache = ScoreCache(emulator(firmware))
    favourite = floats(firmware, 100)
    cache.outputs(favourite)
    for seed in range(2, 160):
        assert cache.outputs(favourite)[1] is None, seed
        cache.outputs(floats(firmware, 100, seed))
        assert sum(path.stat().st_size for path in files(folder)) <= 40_000 + 40_000 // 16
        for age, path in enumerate(files(folder)):  # as if some time had passed
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 1_000_000 - age))
    assert len(files(folder)) > 10
    large = floats(firmware, 20_000)
    assert cache.outputs(large)[1] is not None
    assert cache.outputs(large)[1] is not None  # a batch that would push all others out is not kept


@pytest.mark.parametrize("variable", ["0", "00"])
def test_nothing_is_kept_if_nobody_wants_it(
    folder: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("L1EMU_SCORE_CACHE_MB", variable)
    for _ in range(2):
        assert ScoreCache(emulator(firmware)).outputs(floats(firmware, 20))[1] is not None
    assert not folder.exists()


@pytest.mark.parametrize("place", ["/dev/null/nowhere", "/proc/nowhere"])
def test_where_nothing_can_be_kept_it_is_emulated(
    folder: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("L1EMU_CACHE_DIR", place)
    for _ in range(2):
        assert ScoreCache(emulator(firmware)).outputs(floats(firmware, 20))[1] is not None


@pytest.mark.parametrize("variable", ["-1", "1.5", "much", "1e3", "٣", "99999999999"])
def test_a_wrong_number_of_megabytes_is_refused(
    firmware: Firmware, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("L1EMU_SCORE_CACHE_MB", variable)
    with pytest.raises(L1emuError, match=f"L1EMU_SCORE_CACHE_MB: no number of MB: got '{variable}'; expected 0 to"):
        ScoreCache(emulator(firmware))


@pytest.mark.parametrize(("emulation", "kept"), [(1.0, 8), (100.0, 8), (0.9, 3)])
def test_a_network_that_is_faster_than_its_keeping_is_not_kept(
    folder: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch, emulation: float, kept: int
) -> None:
    """By the processor time of the batches after the first, in which kernels may be compiled."""
    spent = [0.0]
    monkeypatch.setattr(score_cache, "_WORTH", 4.9)
    monkeypatch.setattr("time.process_time", lambda: spent[0])
    whole, name = ScoreCache._emulated, ScoreCache._name

    def slow(self: ScoreCache, inputs: Inputs) -> Any:
        spent[0] += emulation if files(folder) else 1e6
        return whole(self, inputs)

    def hashed(self: ScoreCache, inputs: Inputs) -> str:
        spent[0] += 0.2
        return name(self, inputs)

    monkeypatch.setattr(ScoreCache, "_emulated", slow)
    monkeypatch.setattr(ScoreCache, "_name", hashed)
    cache = ScoreCache(emulator(firmware))
    for seed in range(8):
        assert cache.outputs(floats(firmware, 10, seed))[1] is not None
    assert len(files(folder)) == kept


def test_a_nan_is_refused_each_time(folder: Path, firmware: Firmware) -> None:
    x = floats(firmware, 20)
    x[firmware.inputs[0].name][3, 1, 1] = np.nan
    for _ in range(2):
        with pytest.raises(L1emuError, match="NaN"):
            ScoreCache(emulator(firmware)).outputs(x)
    assert not files(folder)


TAGGER = """
firmware: flat
of: event
inputs: {of: sums, fields: [{field: ht, scale: 0.01}, {field: met, padding: -7}]}
outputs: [one, two]
scores: {first: {output: one}}
"""


def test_a_tagger_counts_what_comes_from_the_disk(folder: Path, tmp_path: Path) -> None:
    from l1emu.taggers import read_tagger

    flat_network(tmp_path / "flat", 2, 2)
    found = []
    data = crossings()
    for _ in range(2):
        tagger = read_tagger("flat", settings(tmp_path, TAGGER), beside(tmp_path))
        found.append(tagger.apply(data).sums["first"])
        found[-1] = np.concatenate([found[-1], tagger.apply(crossings(30, 2)).sums["first"]])
        assert tagger.emulated == 70
    assert tagger.from_cache == 70 and tagger.seconds == 0 and tagger.jets_per_second == 0
    assert found[0].tobytes() == found[1].tobytes()
