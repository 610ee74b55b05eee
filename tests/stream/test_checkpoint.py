"""Checkpoints that somebody made: every array is held against the simulation before compiled code reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.resources import resource
from l1emu.stream import CrossingSource, read_topology, simulate
from l1emu.stream.beam import Train, from_trains
from tests.fuzzing import altered_array, damaged, refused

TOPOLOGY = read_topology(resource("budgets/cms-phase2.topology.yaml")).with_tagger(copies=1)
SOURCE = CrossingSource.poisson(6.0, 0.05)
TRAINS = from_trains("trains", [Train(100, 72), Train(179, 72), Train(3300, 72)])


def run(file: Any, orbits: int = 4) -> Any:
    return simulate(TOPOLOGY, SOURCE, orbits=orbits, filling=TRAINS, checkpoint=file)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The arrays of a checkpoint after three orbits."""
    file = tmp_path_factory.mktemp("whole") / "state.npz"
    run(file, orbits=3)
    return dict(np.load(file))


def written(file: Any, whole: Any, **changes: Any) -> Any:
    np.savez(file, **(whole | {name.replace("__", "."): array for name, array in changes.items()}))
    return file


def with_value(array: Any, place: Any, value: Any) -> Any:
    changed = array.copy()
    changed[place] = value
    return changed


BOOKS = ("times", "counts", "highest", "lost", "dead", "worst", "digest")
STATE = ("boards", "starts", "begun", "accepts", "reads", "words", "scalars")
NAMES = [f"books.{name}" for name in BOOKS]
NAMES += [f"{state}.{name}" for state in ("state", "current", "kept") for name in STATE]


@pytest.mark.parametrize("name", NAMES)
def test_every_array_has_its_shape_and_type(whole: Any, tmp_path: Path, name: str) -> None:
    array = whole[name]
    for wrong in (array[:0], array[..., None], array.reshape(-1)[:1], array.astype(np.float64), array.astype("S3")):
        if wrong.shape == array.shape and wrong.dtype == array.dtype:
            continue
        file = written(tmp_path / "state.npz", whole, **{name: wrong})
        with pytest.raises(L1emuError, match="not a checkpoint of this simulation") as error:
            run(file)
        assert f"{file}: {name}" in str(error.value) or "books.times" in str(error.value)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("state.boards", (0, 0), 1 << 50),
        ("state.boards", (0, 1), 1 << 50),
        ("state.boards", (0, 2), 1 << 50),
        ("state.boards", (0, 2), -1),
        ("state.boards", (0, 3), 1 << 50),
        ("state.boards", (0, 4), 1 << 50),
        ("state.boards", (0, 5), 1 << 50),
        ("state.starts", (0, 0), 1 << 50),
        ("state.begun", (0, 0), -5),
        ("state.accepts", 0, 1 << 50),
        ("state.scalars", 0, 1 << 50),
        ("state.scalars", 1, 1 << 50),
        ("state.scalars", 2, 1 << 50),
        ("state.scalars", 3, -1),
        ("state.scalars", 4, 2),
        ("state.scalars", 6, 1 << 50),
        ("state.scalars", 7, 2),
        ("state.words", (0, 1), 2),
        ("books.counts", 0, -1),
        ("books.times", (0, 0), -1),
        ("books.worst", 0, 1 << 50),
        ("books.worst", 1, 1 << 50),
        ("books.worst", 1, -1),
        ("kept.orbit", (), 3),
        ("current.orbit", (), 4),
        ("state.orbit", (), -1),
        ("orbits", (), -1),
        ("orbits", (), 1 << 60),
    ],
)
def test_every_number_is_one_that_a_run_can_leave(
    whole: Any, tmp_path: Path, name: str, place: Any, value: int
) -> None:
    file = written(tmp_path / "state.npz", whole, **{name: with_value(whole[name], place, value)})
    with pytest.raises(L1emuError, match="not a checkpoint of this simulation"):
        run(file)


def test_a_missing_array_is_named(whole: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", **{name: array for name, array in whole.items() if name != "books.lost"})
    with pytest.raises(L1emuError, match=r"books\.lost: an array is missing"):
        run(tmp_path / "state.npz")


def test_a_checkpoint_as_it_was_written_goes_on(whole: Any, tmp_path: Path) -> None:
    resumed = run(written(tmp_path / "state.npz", whole))
    assert resumed.digest == simulate(TOPOLOGY, SOURCE, orbits=4, filling=TRAINS).digest


@pytest.mark.parametrize("name", ["cms-run3", "cms-phase2", "atlas-phase2"])
@pytest.mark.parametrize("accepted", [0.02, 0.5])
def test_no_run_leaves_what_is_refused(tmp_path: Path, name: str, accepted: float) -> None:
    topology = read_topology(resource(f"budgets/{name}.topology.yaml"))
    source = CrossingSource.poisson(4.0, accepted)
    for orbits in (1, 2, 5):
        simulate(topology, source, orbits=orbits, filling=TRAINS, batch=1, checkpoint=tmp_path / "state.npz")


def fuzz(whole: Any, folder: Path, inputs: Any, seed: int) -> Any:
    """Damage or craft a checkpoint so often, and go on from it; how many were refused."""
    rng, wrong, file = np.random.default_rng(seed), 0, folder / "state.npz"
    good = written(folder / "good.npz", whole).read_bytes()
    names = [name for name in whole if name != "identity"]
    for place in range(inputs):
        if place % 4 == 0:
            file.write_bytes(damaged(good, rng))
        else:
            name = str(rng.choice(names))
            written(file, whole, **{name: altered_array(whole[name], rng)})
        wrong += refused(lambda: run(file)) is not None
    return wrong


def test_crafted_checkpoints_are_refused_or_gone_on_from(whole: Any, tmp_path: Path) -> None:
    assert fuzz(whole, tmp_path, 80, seed=1) > 0


@pytest.mark.exhaustive
def test_many_crafted_checkpoints_are_refused_or_gone_on_from(whole: Any, tmp_path: Path) -> None:
    assert fuzz(whole, tmp_path, 3000, seed=2) > 0
