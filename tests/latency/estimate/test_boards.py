"""A network over several boards: beside one board, counted by hand, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.latency import check, read_budget
from l1emu.latency.estimate import (
    CutGoal,
    Design,
    estimate,
    estimate_boards,
    estimated_timing,
    keep_design,
    load_design,
    propose,
)
from l1emu.latency.estimate.flows import layer_names
from l1emu.latency.partition import BoardLink, Partition, partition_text, read_partition
from l1emu.resources import resource
from l1emu.results_of_estimate import BoardsResults, read_boards
from tests.handmade_projects import every_kind
from tests.latency.drawn_designs import CLOCK, PART, block, designs, partitions

TAGGER = resource("models/jet-tagger/tagger.l1fw")
INFINITE: dict[str, object] = {"gbps": "infinite", "latency_ns": 0.0}


def partition(shares: list[list[str]], link: dict[str, Any] | None = None, **more: Any) -> Partition:
    """Boards a, b, c in a row."""
    names = "abcdefgh"[: len(shares)]
    link = {"gbps": 25.0, "latency_ns": 100.0, "source": "made up", "status": "unverified"} | (link or {})
    return Partition.model_validate(
        {
            "name": "by hand",
            "boards": [{"name": name, "layers": layers} for name, layers in zip(names, shares, strict=True)],
            "links": [{"from": a, "to": b, **link} for a, b in itertools.pairwise(names)],
            **more,
        }
    )


def chain(*sizes: tuple[int, int], skip: bool = False, pipeline: str = "pipeline") -> Design:
    """Dense layers one after the other, of so many numbers of so many bits; the last one may add the first's output."""
    blocks = []
    for number, (n, width) in enumerate(sizes):
        before = ("x",) if number == 0 else (f"l{number - 1}_out",)
        blocks.append(block(f"l{number}", "dense", before, n, width, 4))
    if skip:
        n, width = sizes[0]
        blocks.append(block("sum", "merge", (f"l{len(sizes) - 1}_out", "l0_out"), n, width, 1))
    return Design("top", "io_parallel", pipeline, tuple(blocks), "by hand", "Vitis", PART, CLOCK)


# Beside one board ----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_links_of_infinite_speed_make_one_board_of_all(data: st.DataObject) -> None:
    design = data.draw(designs())
    cut = data.draw(partitions(design, INFINITE))
    found, one = estimate_boards(design, cut), estimate(design)
    assert (found.latency_cycles, found.interval_cycles) == (one.latency_cycles[1], one.interval_cycles[1])
    assert found.band("latency_cycles") == one.band("latency_cycles")
    assert found.band("interval_cycles") == one.band("interval_cycles")
    for name in ("DSP", "BRAM_18K"):
        assert sum(board.estimate.resources[name] for board in found.boards) == one.resources[name]
    assert found.links_cycles == 0


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_links_never_make_it_faster_and_more_lanes_never_slower(data: st.DataObject) -> None:
    design = data.draw(designs())
    slow = {"gbps": 25.0, "latency_ns": 20.0, "lanes": 10, "word_bits": 32}
    cut = data.draw(partitions(design, slow))
    cut = cut.model_copy(update={"interval_cycles": 10_000})
    found, one = estimate_boards(design, cut), estimate(design)
    assert found.latency_cycles >= one.latency_cycles[1]
    wider = cut.model_copy(update={"links": [link.model_copy(update={"lanes": 20}) for link in cut.links]})
    assert estimate_boards(design, wider).latency_cycles <= found.latency_cycles
    for link in found.links:
        assert all(message.cycles <= link.turn_cycles for message in link.messages)


@pytest.mark.parametrize("at", range(1, 19))
def test_the_default_tagger_in_two_boards_at_infinite_links_is_the_tagger(at: int) -> None:
    design = load_design(TAGGER)
    names = list(layer_names(design))
    found = estimate_boards(design, partition([names[:at], names[at:]], INFINITE))
    one = estimate(design)
    assert (found.latency_cycles, found.interval_cycles) == (one.latency_cycles[1], one.interval_cycles[1])
    assert found.boards[0].end <= found.latency_cycles


def test_a_project_of_every_kind_of_layer_is_cut_as_its_firmware_file_is(tmp_path: Path) -> None:
    project = every_kind(tmp_path / "p", 5)
    keep_design(Firmware.read(project), project).save(tmp_path / "f.l1fw")
    results = []
    for path in (project, tmp_path / "f.l1fw"):
        design = load_design(path)
        names = list(layer_names(design))
        cut = partition([names[: len(names) // 2], names[len(names) // 2 :]], {"lanes": 50}, interval_cycles=400)
        found = estimate_boards(design, cut, part=PART, clock_ns=2.5)
        results.append((found.latency_cycles, found.links, [board.estimate.resources for board in found.boards]))
        infinite = estimate_boards(design, partition([names[:3], names[3:]], INFINITE), part=PART, clock_ns=2.5)
        assert infinite.latency_cycles == estimate(design, part=PART, clock_ns=2.5).latency_cycles[1]
    assert results[0] == results[1]


# By hand -------------------------------------------------------------------------------------------------------------


def test_words_and_cycles_of_a_link() -> None:
    link = BoardLink.model_validate(
        {"from": "a", "to": "b", "gbps": 25.0, "latency_ns": 100.0, "source": "s", "status": "unverified"}
    )
    assert link.words(16 * 10) == 3  # 160 bits in words of 64
    # 64 bits at 25 Gb/s x 64 / 66 take 2.64 ns: slower than a cycle of 2.5 ns, and two words end in the third cycle
    assert [link.cycles(words, 2.5) for words in (1, 2, 3, 100)] == [2, 3, 4, math.ceil(264 / 2.5)]
    # at 360 MHz a lane takes a word a cycle, as CMS's links do: 9 frames of 64 bits a crossing
    assert [link.cycles(words, 1e3 / 360.711) for words in (1, 9, 54)] == [1, 9, 54]
    assert link.model_copy(update={"lanes": 4}).cycles(9, 3.0) == 3
    assert link.latency_cycles(2.5) == 40 and link.latency_cycles(3.0) == 34
    assert link.model_copy(update={"gbps": "infinite"}).cycles(1000, 2.5) == 0
    assert link.model_copy(update={"encoding": "8b/10b"}).cycles(1, 2.5) == 2  # 3.2 ns
    assert link.model_copy(update={"encoding": "8b/10b"}).cycles(10, 2.5) == 13  # 32 ns


def test_a_chain_counted_by_hand() -> None:
    design = chain((16, 10), (16, 10), (16, 10))
    one = estimate(design).latency_cycles[1]
    found = estimate_boards(design, partition([["l0", "l1"], ["l2"]]))
    # 3 words of 64 bits for 160: 7.92 ns, 4 cycles of 2.5 ns; and 40 cycles of latency
    (link,) = found.links
    assert [(m.tensor, m.words, m.cycles) for m in link.messages] == [("l1_out", 3, 4)]
    assert (link.turn_cycles, link.latency_cycles) == (4, 40)
    assert found.latency_cycles == one + 44
    assert found.boards[1].begin == found.boards[0].end + 44
    assert found.interval_cycles == 4


def test_a_skip_is_passed_on_by_the_board_between_and_takes_words_on_both_links() -> None:
    design = chain((16, 10), (30, 12), (30, 12), skip=True)
    one = estimate(design).latency_cycles[1]
    cut = partition([["l0"], ["l1"], ["l2", "sum"]], {"lanes": 8})
    found = estimate_boards(design, cut)
    first, second = found.links
    assert [(m.tensor, m.words) for m in first.messages] == [("l0_out", 3)]
    assert [(m.tensor, m.words) for m in second.messages] == [("l0_out", 3), ("l1_out", 6)]
    # each message in one turn of 8 lanes: 2.64 ns, 2 cycles of 2.5 ns; both tensors are given the turn of both
    assert (first.turn_cycles, second.turn_cycles) == (2, 4)
    assert found.latency_cycles == one + 2 + 40 + 4 + 40
    # passed on when the first link has given it
    assert second.messages[0].offset_cycles == first.messages[0].offset_cycles + 2 + 40


def test_a_tensor_for_two_boards_takes_a_common_link_once() -> None:
    design = chain((16, 10), (16, 10), skip=True)
    design = replace(design, blocks=(*design.blocks[:2], replace(design.blocks[2], inputs=("l0_out", "l1_out"))))
    found = estimate_boards(design, partition([["l0"], ["l1"], ["sum"]], {"lanes": 8}))
    assert [len(link.messages) for link in found.links] == [1, 2]


def test_inputs_of_the_network_are_on_the_first_board() -> None:
    design = chain((16, 10), (16, 10))
    late = replace(design, blocks=(design.blocks[0], replace(design.blocks[1], inputs=("l0_out", "x"))))
    found = estimate_boards(late, partition([["l0"], ["l1"]], {"lanes": 8}))
    assert next((m.tensor, m.offset_cycles) for m in found.links[0].messages) == ("x", 0)


def test_a_stream_passes_links_while_its_layers_run() -> None:
    design = replace(chain((16, 10), (16, 10)), io="io_stream", pipeline="dataflow")
    one = estimate(design).latency_cycles[1]
    found = estimate_boards(design, partition([["l0"], ["l1"]]))
    assert found.latency_cycles == one + 40  # the words are sent as they are made, which takes longer than the link


def test_weights_that_are_zero_take_no_multiplier_where_they_are_constants() -> None:
    dense = chain((30, 12), (30, 12))
    pruned = replace(
        dense,
        blocks=tuple(
            replace(
                one, weights=tuple(replace(w, nonzeros=90, terms=5, multipliers=45, shift_adds=9) for w in one.weights)
            )
            for one in dense.blocks
        ),
    )
    shares = [["l0"], ["l1"]]
    lanes = {"lanes": 8}
    takes = [estimate_boards(d, partition(shares, lanes)).boards[0].estimate.resources["DSP"] for d in (dense, pruned)]
    assert takes[1] * 8 < takes[0]
    # multipliers that are shared take all weights, zero or not
    shared = [
        estimate_boards(d, partition(shares, lanes), strategy="resource").boards[0].estimate.resources["DSP"]
        for d in (dense, pruned)
    ]
    assert shared[0] == shared[1]


def test_copies_and_another_part_on_a_board() -> None:
    design = load_design(TAGGER)
    names = list(layer_names(design))
    cut = partition([names[:10], names[10:]], {"lanes": 20})
    small = cut.model_copy(update={"boards": [cut.boards[0].model_copy(update={"part": "xczu3eg"}), cut.boards[1]]})
    assert estimate_boards(design, cut, copies=2).fits == "yes"
    found = estimate_boards(design, small)
    assert (found.fits, found.boards[0].fits(1), found.boards[1].fits(1)) == ("no", "no", "yes")
    assert estimate_boards(design, cut, copies=40).fits == "no"


def test_a_budget_counts_boards_and_links(tmp_path: Path) -> None:
    names = list(layer_names(load_design(TAGGER)))
    path = tmp_path / "two.yaml"
    path.write_text(partition_text(partition([names[:10], names[10:]], {"lanes": 20})))
    timing = estimated_timing(TAGGER, 360.0, partition=path)
    one = estimated_timing(TAGGER, 360.0)
    assert timing.latency_cycles == one.latency_cycles + 2 + 37 and timing.interval_cycles == one.interval_cycles
    found = check(read_budget(resource("budgets/cms-phase2.yaml")), timing)
    assert {use.resource for use in found.part_use} >= {"DSP on board a", "DSP on board b"}
    assert found.passed
    many = check(read_budget(resource("budgets/cms-phase2.yaml")), timing, copies=40)
    assert any("on board a, xcvu13p-flga2577-2-e offers" in text for text in many.reasons)


# Files and bad input -------------------------------------------------------------------------------------------------


def test_a_partition_is_read_as_it_is_written(tmp_path: Path) -> None:
    made = partition([["l0"], ["l1", "l2"]], {"buffer_words": 7, "gbps": "infinite"}, interval_cycles=9)
    path = tmp_path / "p.yaml"
    path.write_text(partition_text(made))
    assert read_partition(path) == made


def broken() -> dict[str, tuple[list[list[str]], dict[str, Any], str]]:
    """Shares, links and what is said of them."""
    return {
        "unknown layer": (
            [["l0", "l9"], ["l1", "l2", "sum"]],
            {},
            "boards.0.layers: unknown layer: got 'l9'; expected one of l0, l1, l2, sum",
        ),
        "twice": (
            [["l0", "l1"], ["l1", "l2", "sum"]],
            {},
            "boards.1.layers: a layer assigned twice: got 'l1'; expected",
        ),
        "not at all": ([["l0", "l1"], ["sum"]], {}, "boards: a layer on no board: got 'l2'; expected every layer"),
        "circle": ([["l0", "l2"], ["l1", "sum"]], {}, "and no link leads there; expected a link from b to a"),
        "slow": (
            [["l0"], ["l1", "l2", "sum"]],
            {"gbps": 1.0},
            "links.0 from a to b: a link slower than the interval: 3 words of 64 bits take it 80 cycles for every "
            "input: got '1 x 1.0 Gb/s'; expected 4 cycles or less",
        ),
        "slow but for lanes": (
            [["l0"], ["l1", "l2", "sum"]],
            {"gbps": 15.0},
            "expected 4 cycles or less: 2 lanes, for example",
        ),
    }


@pytest.mark.parametrize("case", broken())
def test_a_wrong_partition_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    shares, link, text = broken()[case]
    design = chain((16, 10), (16, 10), (16, 10), skip=True)
    with pytest.raises(L1emuError) as caught:
        estimate_boards(design, partition(shares, link))
    assert text in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_boards_that_wait_for_each_other_are_refused() -> None:
    design = chain((16, 10), (16, 10), (16, 10))
    cut = partition([["l0", "l2"], ["l1"]])
    back = cut.links[0].model_copy(update={"sender": "b", "receiver": "a"})
    with pytest.raises(L1emuError, match="boards: a cycle between boards: got 'a to b to a'; expected layers such"):
        estimate_boards(design, cut.model_copy(update={"links": [*cut.links, back]}))


def test_the_cells_of_a_bidirectional_layer_stay_together() -> None:
    design = chain((16, 10), (16, 10))
    halves = replace(
        design,
        blocks=(
            replace(design.blocks[0], name="l_forward", output="h/forward"),
            replace(design.blocks[0], name="l_backward", output="h"),
            replace(design.blocks[1], inputs=("h",)),
        ),
    )
    with pytest.raises(L1emuError, match="two cells of a bidirectional layer on two boards: got 'l_forward'"):
        estimate_boards(halves, partition([["l_forward"], ["l_backward", "l1"]], {"lanes": 8}))
    estimate_boards(halves, partition([["l_forward", "l_backward"], ["l1"]], {"lanes": 8}))


def test_an_interval_that_the_boards_do_not_keep_to_is_refused() -> None:
    design = chain((16, 10), (16, 10))
    with pytest.raises(
        L1emuError, match="interval_cycles: an interval that the boards do not keep to: got 3; expected 4"
    ):
        estimate_boards(design, partition([["l0"], ["l1"]], interval_cycles=3))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("to: b", "to: q"), "links.0.to: unknown board 'q'; expected one of 'a', 'b'"),
        (("to: b", "to: a"), "links.0: from 'a' to itself; expected two boards"),
        (("name: b", "name: a"), "boards: two are named 'a'; expected names that differ"),
        (("gbps: 25.0", "gbps: -3.0"), "links.0.gbps"),
        (("lanes: 20", "lanes: 0"), "line 12, key links.0.lanes: wrong value: got 0"),
        (("latency_ns: 100.0", "latenci_ns: 100.0"), "unknown key: got 'latenci_ns'; expected 'latency_ns', perhaps"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_place(change: tuple[str, str], text: str, tmp_path: Path) -> None:
    names = list(layer_names(load_design(TAGGER)))
    path = tmp_path / "boards.yaml"
    whole = partition_text(partition([names[:10], names[10:]], {"lanes": 20}))
    assert change[0] in whole
    path.write_text(whole.replace(*change))
    result = CliRunner().invoke(app, ["estimate", str(TAGGER), "--partition", str(path)])
    assert isinstance(result.exception, L1emuError)
    assert str(path) in str(result.exception) and text in str(result.exception), str(result.exception)


def test_what_the_design_says_of_a_file_names_the_file(tmp_path: Path) -> None:
    names = list(layer_names(load_design(TAGGER)))
    path = tmp_path / "boards.yaml"
    path.write_text(partition_text(partition([names[:10], names[11:]])))
    for command in (
        ["estimate", str(TAGGER)],
        ["budget", "--estimate", str(TAGGER)],
        ["simulate", "--estimate", str(TAGGER)],
    ):
        result = CliRunner().invoke(app, [*command, "--partition", str(path)])
        assert str(result.exception) == (
            f"{path}: boards: a layer on no board: got 'block0_ff1'; expected every layer on one board"
        )


# The command line ----------------------------------------------------------------------------------------------------


def test_a_cut_is_proposed_written_and_estimated_again(tmp_path: Path) -> None:
    path = tmp_path / "cut.yaml"
    search = ["estimate", str(TAGGER), "--boards", "2", "--fill", "0.1", "--lanes", "12"]
    proposed = CliRunner().invoke(app, [*search, "-o", str(path), "--figure", str(tmp_path / "cut.png"), "--json"])
    assert proposed.exit_code == 0, proposed.output
    found = json.loads(proposed.stdout)
    BoardsResults.model_validate(found)
    assert found["name"] == "jet-tagger over boards"
    assert found["exact"] and (tmp_path / "cut.pdf").is_file()
    again = CliRunner().invoke(app, ["estimate", str(TAGGER), "--partition", str(path), "--json"])
    same = json.loads(again.stdout)
    assert {**found, "exact": 0, "sets": 0, "fill": 0} == {**same, "exact": 0, "sets": 0, "fill": 0}
    (tmp_path / "found.json").write_text(again.stdout)
    assert read_boards(tmp_path / "found.json").links[0].from_ == "board1"
    shown = CliRunner().invoke(app, search)
    assert "no cut into boards in a row is faster" in shown.output


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--lanes", "3"], "--lanes without a search; expected --boards or --link-gbps"),
        (["--boards", "0"], "--boards: wrong value: got 0; expected 1 to 64"),
        (["--boards", "2", "--fill", "2"], "--fill: wrong value: got 2.0; expected 0.01 to 1"),
        (["--boards", "2", "--partition", "x"], "--partition and a search at once"),
        (["--boards", "2", "--copies", "0"], "--copies: wrong value: got 0; expected 1 to 1,024"),
        (["--boards", "2", "--scan"], "--scan of several boards"),
        (["--figure", "x"], "--figure of one board"),
        (["--boards", "20"], "more boards than layers"),
        (["--boards", "2", "--part", "xczu3eg"], "layer block0_"),
        (["--boards", "2", "--link-gbps", "0.001", "--lanes", "1"], "a link slower than the interval wherever"),
        (
            ["--boards", "1", "--part", "xcku040", "--copies", "2"],
            "--boards: the network does not fit so many boards: got 1; expected",
        ),
    ],
)
def test_a_search_that_cannot_be_is_refused(options: list[str], text: str) -> None:
    result = CliRunner().invoke(app, ["estimate", str(TAGGER), *options])
    assert isinstance(result.exception, L1emuError), result.output
    assert text in str(result.exception), str(result.exception)


# What comes with l1emu -----------------------------------------------------------------------------------------------


def test_the_shipped_partition_is_the_fastest_cut_of_the_default_tagger(tmp_path: Path) -> None:
    shipped = resource("budgets/jet-tagger.partition.yaml")
    found = json.loads(CliRunner().invoke(app, ["estimate", str(TAGGER), "--partition", str(shipped), "--json"]).stdout)
    assert (found["latency_cycles"], found["single_board_cycles"], found["fits"]) == (179, 118, "yes")
    again = tmp_path / "again.yaml"
    CliRunner().invoke(app, ["estimate", str(TAGGER), "--boards", "2", "--fill", "0.1", "-o", str(again)])
    assert again.read_text() == shipped.read_text()


MILLION = {"jets-1tev-million": (8, 1083, 21741), "jets-1tev-million-pruned": (2, 316, 5)}
"""Boards, cycles and DSP of the page's table."""


@pytest.mark.parametrize("name", MILLION)
def test_a_million_weights_over_the_boards_of_the_page(name: str) -> None:
    design = load_design(resource(f"models/{name}/model.l1fw"))
    weights = [matrix for one in design.blocks for matrix in one.weights]
    assert sum(matrix.n_in * matrix.n_out for matrix in weights) > 1_000_000
    shipped = read_partition(resource(f"budgets/{name}.partition.yaml"))
    found = estimate_boards(design, shipped)
    assert (len(found.boards), found.latency_cycles, found.single.resources["DSP"]) == MILLION[name]
    assert sum(board.estimate.resources["DSP"] for board in found.boards) == found.single.resources["DSP"]
    assert found.interval_cycles <= 54  # of an event every six crossings at 360 MHz
    link = shipped.links[0]
    again = propose(design, CutGoal(None, link, fill=0.6), name=shipped.name)
    assert again.exact and again.partition == shipped
    infinite = [one.model_copy(update={"gbps": "infinite", "latency_ns": 0.0}) for one in shipped.links]
    alone = estimate_boards(design, shipped.model_copy(update={"links": infinite}))
    assert (alone.latency_cycles, alone.interval_cycles) == (
        estimate(design).latency_cycles[1],
        estimate(design).interval_cycles[1],
    )


def test_zeros_of_shared_multipliers_save_nothing() -> None:
    found = [load_design(resource(f"models/{name}/model.l1fw")) for name in MILLION]
    one, other = (estimate(design, strategy="resource") for design in found)
    assert (one.resources, one.interval_cycles) == (other.resources, other.interval_cycles)
    # two more where the sums of the last layer are wider
    assert one.latency_cycles[1] <= other.latency_cycles[1] <= one.latency_cycles[1] + 2
