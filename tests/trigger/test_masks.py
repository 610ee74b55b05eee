"""Decisions written as parquet and read back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.trigger import read_masks, write_masks
from l1emu.trigger.masks import masks_to

pytest.importorskip("pyarrow", reason="the extra `sources` is not installed")
SEEDS = ["HT", "two b, 30 GeV"]
RNG = np.random.default_rng(1)
ACCEPTED = RNG.random((100, 2)) < 0.3
COLUMNS = {"stratum": RNG.integers(0, 5, 100), "identity": RNG.integers(0, 1 << 63, 100).astype(np.uint64) * 2}


def test_decisions_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "decisions.parquet"
    write_masks(path, ACCEPTED, SEEDS, COLUMNS)
    found = read_masks(path)
    assert found.fields == ["stratum", "identity", *SEEDS]
    assert found["HT"].to_numpy().dtype == np.bool_
    assert found["HT"].to_list() == ACCEPTED[:, 0].tolist()
    assert found["two b, 30 GeV"].to_list() == ACCEPTED[:, 1].tolist()
    assert found["identity"].to_numpy().dtype == np.uint64
    assert found["identity"].to_list() == COLUMNS["identity"].tolist()
    assert len(found[found["HT"]]) == ACCEPTED[:, 0].sum()


def test_parts_are_one_file_in_their_order_and_none_is_an_empty_one(tmp_path: Path) -> None:
    whole, parts, none = (tmp_path / f"{name}.parquet" for name in ("whole", "parts", "none"))
    write_masks(whole, ACCEPTED, SEEDS, COLUMNS)
    with masks_to(parts, SEEDS) as writer:
        for part in (slice(0, 30), slice(30, 30), slice(30, 100)):
            writer.write(ACCEPTED[part], {name: values[part] for name, values in COLUMNS.items()})
    assert read_masks(parts).to_list() == read_masks(whole).to_list()
    with masks_to(none, SEEDS):
        pass
    assert len(read_masks(none)) == 0
    assert read_masks(none).fields == SEEDS


def test_nothing_is_left_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "decisions.parquet"
    with pytest.raises(L1emuError, match="columns that differ"), masks_to(path, SEEDS) as writer:
        writer.write(ACCEPTED, COLUMNS)
        writer.write(ACCEPTED, {"stratum": COLUMNS["stratum"]})
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "decisions.parquet"
    for accepted, seeds, columns, message in (
        (ACCEPTED, ["HT", "HT"], {}, "two seeds of one name: got 'HT'"),
        (ACCEPTED, ["HT"], {}, "decisions that are not one of each seed for each crossing"),
        (ACCEPTED.astype(int), SEEDS, {}, "decisions that are not one of each seed for each crossing"),
        (ACCEPTED, SEEDS, {"HT": np.ones(100)}, "a seed has the name of a column: got 'HT'"),
        (ACCEPTED, SEEDS, {"entry": np.ones(99)}, "entry: a column that is not one number for each crossing"),
        (ACCEPTED, SEEDS, {"entry": np.full(100, "a")}, "entry: a column that is not one number for each crossing"),
    ):
        with pytest.raises(L1emuError, match=message):
            write_masks(path, accepted, seeds, columns)
    with pytest.raises(L1emuError, match="no such file"):
        read_masks(path)
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(L1emuError, match="not a whole parquet file"):
        read_masks(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1, 2]}), path)
    with pytest.raises(L1emuError, match="without decisions of a menu"):
        read_masks(path)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(L1emuError, match=r"need pyarrow.*pip install 'l1emu\[sources\]'"):
        write_masks(tmp_path / "x.parquet", ACCEPTED, SEEDS)
    with pytest.raises(L1emuError, match="need pyarrow"):
        read_masks(tmp_path / "x.parquet")
