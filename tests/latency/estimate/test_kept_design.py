"""The design that a firmware file keeps: estimated as its project is, and refused where it is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.latency.estimate import Design, estimate, keep_design, load_design
from l1emu.latency.estimate.cost import FORMULAS
from l1emu.latency.estimate.design import KINDS
from tests.handmade_projects import every_kind

PART = "xcvu13p-flga2577-2-e"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_kind(tmp_path_factory.mktemp("kept") / "p", 5)


@pytest.fixture(scope="module")
def kept(project: Path) -> Firmware:
    return keep_design(Firmware.read(project), project)


def test_every_kind_of_layer_is_estimated_from_the_file_as_from_the_project(
    project: Path, kept: Firmware, tmp_path: Path
) -> None:
    kept.save(tmp_path / "f.l1fw")
    again = load_design(tmp_path / "f.l1fw")
    assert replace(again, origin="") == replace(load_design(project), origin="")
    one, other = (estimate(design, part=PART, clock_ns=2.5) for design in (load_design(project), again))
    assert (one.latency_cycles, one.interval_cycles, one.resources) == (
        other.latency_cycles,
        other.interval_cycles,
        other.resources,
    )
    assert Firmware.read(tmp_path / "f.l1fw").content_hash == Firmware.read(project).content_hash


def test_a_file_without_a_design_says_so(project: Path, tmp_path: Path) -> None:
    Firmware.read(project).save(tmp_path / "f.l1fw")
    assert any("does not keep what steers synthesis" in text for text in load_design(tmp_path / "f.l1fw").problems)


def test_each_kind_has_its_formula() -> None:
    assert set(KINDS) == set(FORMULAS)


def block_of(document: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(block for block in document["blocks"] if block["kind"] == kind)
    return found


WRONG: dict[str, Any] = {
    "no blocks": lambda d: d.update(blocks=[]),
    "blocks of another type": lambda d: d.update(blocks="none"),
    "no name": lambda d: d.pop("name"),
    "an unknown io": lambda d: d.update(io="io_serial"),
    "an unknown tool": lambda d: d.update(tool="Quartus"),
    "a text for a number": lambda d: block_of(d, "conv").update(reuse="8"),
    "a fraction of a reuse factor": lambda d: block_of(d, "conv").update(reuse=1.5),
    "no reuse factor": lambda d: block_of(d, "conv").update(reuse=0),
    "sizes of no hardware": lambda d: block_of(d, "conv").update(positions=10**12),
    "an unknown kind": lambda d: block_of(d, "conv").update(kind="quantum"),
    "an unknown strategy": lambda d: block_of(d, "conv").update(strategy="fast"),
    "no weights": lambda d: block_of(d, "conv").update(weights=[]),
    "weights without sizes": lambda d: block_of(d, "conv").update(weights=[{}]),
    "fewer weights than none": lambda d: block_of(d, "conv")["weights"][0].update(nonzeros=-1),
    "a text among the sizes": lambda d: block_of(d, "conv").update(extra={"n_partitions": "many"}),
    "a list among the sizes": lambda d: block_of(d, "conv").update(extra={"n_partitions": [1]}),
    "a queue of no depth": lambda d: d.update(fifos=[[-1, 8]]),
    "a clock without end": lambda d: d.update(clock_ns=float("inf")),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_design_is_refused_with_the_file(kept: Firmware, tmp_path: Path, what: str) -> None:
    document = Design.from_dict(kept.design or {}).as_dict()
    WRONG[what](document)
    if what == "a clock without end":
        with pytest.raises(L1emuError, match="not a design"):
            Design.from_dict(document)
        return
    path = tmp_path / "f.l1fw"
    replace(kept, design=document).save(path)
    with pytest.raises(L1emuError, match=r"f\.l1fw"):
        load_design(path)
    assert Firmware.read(path).content_hash == kept.content_hash  # the bits do not depend on it
