"""Golden vectors of others: compared, or refused in one line that names the array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.taggers import golden
from l1emu.taggers.golden import compare_golden
from tests.fuzzing import altered_array, damaged, refused
from tests.study.study_toys import toy_firmware, write_golden

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return Emulator(toy_firmware(), target="exact")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    file = tmp_path_factory.mktemp("golden") / "golden.npz"
    write_golden(file, toy_firmware(), jets=5)
    return dict(np.load(file))


def changed(name: str, change: Any) -> Any:
    return lambda arrays: arrays | {name: change(arrays[name])}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: {k: v for k, v in arrays.items() if k != "digest"}, "digest: an array is missing"),
        (changed("inputs", lambda x: x.astype(np.float64)), "inputs: wrong type: got 'float64'; expected integers"),
        (changed("inputs", lambda x: x[0, 0, 0]), "inputs: wrong shape"),
        (changed("inputs", lambda x: x[:0]), "inputs: no vectors"),
        (changed("inputs", lambda x: x[:2]), "outputs: wrong shape"),
        (changed("inputs", lambda x: x[:, :1]), "wrong shape"),
        (changed("inputs", lambda x: np.full_like(x, 32767)), "raw values outside the input type"),
        (changed("outputs", lambda x: x[..., None, None][:, :1]), "outputs: wrong shape"),
        (changed("outputs", lambda x: x.astype("U9")), "outputs: wrong type"),
        (changed("layer", lambda x: np.array(["nobody"] * x.size)), "a layer that the firmware does not have"),
        (changed("layer", lambda x: x[:0]), "digest: wrong shape"),
        (changed("digest", lambda x: np.arange(x.size)), "digest: wrong type"),
        (changed("firmware", lambda x: np.array([x.item()])), "firmware: wrong shape"),
        (changed("firmware", lambda x: np.array(7)), "firmware: wrong type"),
    ],
)
def test_arrays_that_do_not_fit_are_named(
    emulator: Emulator, whole: Arrays, tmp_path: Path, change: Any, words: str
) -> None:
    file = tmp_path / "golden.npz"
    np.savez(file, **change(whole))
    with pytest.raises(L1emuError, match=words) as error:
        compare_golden(emulator, file)
    assert str(error.value).startswith(f"{file}: ")


def test_layers_are_compared_whole_a_few_vectors_at_a_time(
    emulator: Emulator, whole: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[int] = []

    def seen(inputs: Arrays) -> Arrays:
        traced.append(len(next(iter(inputs.values()))))
        return Emulator.trace(emulator, inputs)

    monkeypatch.setattr(emulator, "trace", seen)
    monkeypatch.setattr(golden, "_CHUNK", 2)
    compared = compare_golden(emulator, _saved(tmp_path, whole))
    assert compared.identical
    assert compared.jets == 5
    assert traced == [2, 2, 1]
    found = compare_golden(emulator, _saved(tmp_path, whole | {"digest": np.array(["0" * 64])}))
    assert found.first_difference == f"layer {whole['layer'][0]}"


def fuzz(emulator: Emulator, whole: Arrays, folder: Path, inputs: int, seed: int) -> int:
    """Damage or craft golden vectors so often; how many were refused."""
    rng, wrong, file = np.random.default_rng(seed), 0, folder / "golden.npz"
    np.savez(folder / "good.npz", **whole)
    good, names = (folder / "good.npz").read_bytes(), sorted(whole)
    for place in range(inputs):
        if place % 3 == 0:
            file.write_bytes(damaged(good, rng))
        else:
            name = str(rng.choice(names))
            np.savez(file, **(whole | {name: altered_array(whole[name], rng)}))
        wrong += refused(lambda: compare_golden(emulator, file)) is not None
    return wrong


def test_damaged_vectors_are_refused_or_compared(emulator: Emulator, whole: Arrays, tmp_path: Path) -> None:
    assert compare_golden(emulator, _saved(tmp_path, whole)).identical
    assert fuzz(emulator, whole, tmp_path, 150, seed=1) > 0


def _saved(folder: Path, arrays: Arrays) -> Path:
    np.savez(folder / "whole.npz", **arrays)
    return folder / "whole.npz"


@pytest.mark.exhaustive
def test_many_damaged_vectors_are_refused_or_compared(emulator: Emulator, whole: Arrays, tmp_path: Path) -> None:
    assert fuzz(emulator, whole, tmp_path, 8000, seed=2) > 0
