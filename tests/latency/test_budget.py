"""Budgets, the check of a tagger against them, and the arithmetic of copies and crossings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.latency import (
    CROSSING_NS,
    Budget,
    StatedTiming,
    TaggerTiming,
    check,
    read_budget,
    read_report,
    read_timing,
    waterfall,
)
from l1emu.latency.budget import JetInterval
from l1emu.latency.check import copies_to_keep_up, last_jet_wait
from l1emu.latency.clock import multiple, period_ns
from l1emu.resources import resource
from tests.latency.handmade_reports import Design, cosim_rpt, csynth_xml

SHIPPED = ["cms-phase2", "cms-run3", "atlas-phase2"]


@pytest.fixture(scope="module")
def phase2() -> Budget:
    return read_budget(resource("budgets/cms-phase2.yaml"))


STATED = StatedTiming(tagger="one", latency_cycles=260, interval_cycles=8, clock_mhz=360.0, origin="a test")


def stated(latency: int, interval: int, clock: float = 360.0) -> TaggerTiming:
    return TaggerTiming(latency, interval, clock, "a test", "stated")


def edited(tmp_path: Path, edit: Any) -> Path:
    data = yaml.safe_load(resource("budgets/cms-phase2.yaml").read_text())
    edit(data)
    path = tmp_path / "budget.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


class TestClock:
    def test_periods_are_locked_to_the_lhc(self) -> None:
        assert period_ns(360) == pytest.approx(1e3 / (9 * 40.0790), rel=1e-12)
        assert period_ns(360) == pytest.approx(2.7723, abs=5e-5)
        assert [multiple(mhz) for mhz in (240, 320, 360, 480)] == [6, 8, 9, 12]

    @pytest.mark.parametrize("mhz", [357, 0, -40, 360.711, 1000, 39.9])
    def test_other_clocks_are_refused(self, mhz: float) -> None:
        with pytest.raises(L1emuError, match="not locked to the LHC"):
            multiple(mhz)


class TestShippedBudgets:
    @pytest.mark.parametrize("name", SHIPPED)
    def test_they_read_and_every_line_has_its_source(self, name: str) -> None:
        budget = read_budget(resource(f"budgets/{name}.yaml"))
        assert sum(stage.crossings for stage in budget.stages) == budget.total.value
        for stage in budget.stages:
            assert stage.source.strip()
            if any(word in stage.source for word in ("assumption", "memory", "summary")):
                assert stage.status == "unverified", stage.name

    def test_cms_phase2_is_500_crossings(self, phase2: Budget) -> None:
        assert phase2.total.value == 500
        assert phase2.total_ns == pytest.approx(12475.4, abs=0.05)
        assert waterfall(phase2)[-1].end_ns == pytest.approx(phase2.total_ns)
        assert phase2.tagger_stage.name == "Correlator Layer-2, jet tagging"

    def test_a_stated_tagger_passes_only_as_unverified(self, phase2: Budget) -> None:
        timing = TaggerTiming.from_stated(STATED)
        assert (timing.kind, timing.status) == ("stated", "unverified")
        result = check(phase2, timing)
        assert result.passed and result.status == "unverified" and result.slice.status == "unverified"


class TestBadBudgets:
    def test_stages_above_the_total(self, tmp_path: Path) -> None:
        path = edited(tmp_path, lambda data: data["stages"][1].update(crossings=161))
        with pytest.raises(L1emuError) as caught:
            read_budget(path)
        text = str(caught.value)
        assert str(path) in text and "501 crossings" in text and "total of 500" in text

    @pytest.mark.parametrize(
        ("edit", "match"),
        [
            (lambda d: d["stages"][4].pop("tagger"), "0 stages hold the tagger"),
            (lambda d: d["stages"][3].update(tagger=d["stages"][4]["tagger"]), "2 stages hold the tagger"),
            (lambda d: d["stages"][4]["tagger"].update(crossings=41), "longer than its stage"),
            (lambda d: d["stages"][1].update(name=d["stages"][0]["name"]), "two stages are named"),
            (lambda d: d["stages"][1].update(crossings=-1), "stages.1.crossings"),
            (lambda d: d["stages"][1].update(crossings=1.5), "stages.1.crossings"),
            (lambda d: d["stages"][1].update(status="probably"), "stages.1.status"),
            (lambda d: d["stages"][1].pop("source"), "stages.1.source"),
            (lambda d: d["clock"].update(value=357.0), "not locked to the LHC"),
            (lambda d: d.update(stagse=[]), "unknown key"),
            (lambda d: d["clock"].update(value=5e-324), "not locked to the LHC"),
            (lambda d: d["clock"].update(value=float("nan")), "clock.value|not a finite"),
            (lambda d: d["clock"].update(value=float("inf")), "clock.value|not a finite"),
            (lambda d: d["accept_rate_khz"].update(value=float("inf")), "accept_rate_khz.value|not a finite"),
            (lambda d: d["accept_rate_khz"].update(value=5e-324), "accept_rate_khz.value"),
            (lambda d: d["total"].update(value=2**31), "total.value"),
            (lambda d: d["stages"][1].update(crossings=2**63), "stages.1.crossings"),
            (lambda d: d["stages"][4]["tagger"].update(crossings=0), "stages.4.tagger.crossings"),
            (lambda d: d["time_multiplexing"].update(value=3565), "time_multiplexing.value"),
            (lambda d: d["jets"].update(value=10**12), "jets.value"),
            (lambda d: d["copies"].update(value=10**12), "copies.value"),
            (
                lambda d: d.update(jet_interval={"value": 0, "source": "x", "status": "unverified"}),
                "jet_interval.value",
            ),
        ],
    )
    def test_refused_with_the_place(self, tmp_path: Path, edit: Callable[..., Any], match: str) -> None:
        with pytest.raises(L1emuError, match=match):
            read_budget(edited(tmp_path, edit))


class TestCheck:
    def test_by_hand(self, phase2: Budget) -> None:
        # 12 jets on 2 copies: the sixth jet of a copy enters 5 x 8 = 40 cycles late; 40 + 260 = 300 cycles of 9 a
        # crossing are 33.3, hence 34 crossings; 420 - 40 + 34 = 414 crossings of 500; 6 x 8 = 48 of 54 cycles.
        result = check(phase2, stated(260, 8), jets=12, copies=2)
        assert result.wait_cycles == 40
        assert (result.slice.used_crossings, result.slice.slack_crossings) == (34, 6)
        assert result.slice.exact_ns == pytest.approx(300 * 2.77230, rel=1e-5)
        assert result.slice.slack_ns == pytest.approx(6 * 24.9507, rel=1e-5)
        assert (result.chain.used_crossings, result.chain.slack_crossings) == (414, 86)
        assert (result.busy_cycles, result.window_cycles, result.copies_needed) == (48, 54, 2)
        assert result.passed and result.reasons == ()

    def test_exact_crossing_is_not_rounded_up(self, phase2: Budget) -> None:
        assert check(phase2, stated(360, 1), jets=1).slice.used_crossings == 40
        late = check(phase2, stated(361, 1), jets=1)
        assert late.slice.used_crossings == 41
        assert not late.passed and late.chain.passed
        assert late.reasons == ("the tagger needs 41 crossings, its slice has 40",)

    def test_the_slice_may_fail_while_the_chain_holds_and_then_both(self, phase2: Budget) -> None:
        assert check(phase2, stated(120 * 9, 1), jets=1).chain.passed
        far = check(phase2, stated(120 * 9 + 1, 1), jets=1)
        assert not far.chain.passed and len(far.reasons) == 2

    def test_too_few_copies(self, phase2: Budget) -> None:
        result = check(phase2, stated(91, 15), jets=12, copies=2)
        assert not result.keeps_up and not result.passed
        assert result.copies_needed == 4
        assert check(phase2, stated(91, 15), jets=12, copies=4).keeps_up

    def test_the_clock_that_runs_counts(self, phase2: Budget) -> None:
        slow, fast = (check(phase2, stated(260, 8, mhz), jets=1) for mhz in (240, 480))
        assert (slow.slice.used_crossings, fast.slice.used_crossings) == (math.ceil(260 / 6), math.ceil(260 / 12))
        assert not slow.passed and fast.passed

    @pytest.mark.parametrize("wrong", [{"jets": 0}, {"copies": 0}, {"jets": -3}])
    def test_numbers_below_one(self, phase2: Budget, wrong: dict[str, Any]) -> None:
        with pytest.raises(L1emuError, match="below 1"):
            check(phase2, stated(10, 1), **wrong)

    def test_json_is_complete(self, phase2: Budget) -> None:
        document = check(phase2, stated(260, 8)).as_dict()
        assert document["slack_ns"] == pytest.approx(document["budget_ns"] - document["used_ns"])
        for value in document["inputs"].values():
            assert value["source"] and value["status"] in ("verified", "unverified")
        assert sum(row["crossings"] for row in document["stages"]) == 500

    @given(
        latency=st.integers(0, 2000), interval=st.integers(1, 100), jets=st.integers(1, 40), copies=st.integers(1, 40)
    )
    def test_against_jets_dealt_one_by_one(
        self, phase2: Budget, latency: int, interval: int, jets: int, copies: int
    ) -> None:
        free = [0] * copies
        leave = 0
        for jet in range(jets):
            enter = free[jet % copies]
            free[jet % copies] = enter + interval
            leave = max(leave, enter + latency)
        result = check(phase2, stated(latency, interval), jets=jets, copies=copies)
        assert result.wait_cycles + latency == leave
        assert result.slice.used_crossings == math.ceil(Fraction(leave, 9))
        if interval <= result.window_cycles:
            assert result.keeps_up == (max(free) <= result.window_cycles)

    @given(jets=st.integers(1, 60), interval=st.integers(1, 60), window=st.integers(60, 200))
    def test_copies_needed_is_the_least(self, jets: int, interval: int, window: int) -> None:
        needed = copies_to_keep_up(jets, interval, window)
        assert math.ceil(jets / needed) * interval <= window
        assert needed == 1 or math.ceil(jets / (needed - 1)) * interval > window

    def test_copies_where_one_jet_outlasts_the_window(self, phase2: Budget) -> None:
        assert copies_to_keep_up(3, 109, 54) == 9
        # one jet of 113 cycles, an event every 54: three copies take events in turn, each every 162 cycles
        result = check(phase2, stated(200, 113), jets=1, copies=3)
        assert (result.copy_sets, result.busy_cycles, result.event_cycles, result.window_cycles) == (3, 113, 54, 162)
        assert result.keeps_up and result.wait_cycles == 0
        short = check(phase2, stated(200, 113), jets=1, copies=2)
        assert (short.busy_cycles, short.window_cycles, short.keeps_up, short.copies_needed) == (113, 108, False, 3)
        assert "a new event comes to them after 108: 3 copies needed" in short.reasons[0]

    @given(
        interval=st.integers(1, 400),
        jets=st.integers(1, 8),
        copies=st.integers(1, 80),
        window=st.sampled_from([1, 2, 6]),
    )
    def test_the_numbers_of_the_row_decide_it(
        self, phase2: Budget, interval: int, jets: int, copies: int, window: Any
    ) -> None:
        multiplexed = phase2.time_multiplexing.model_copy(update={"value": window})
        budget = phase2.model_copy(update={"time_multiplexing": multiplexed})
        found = check(budget, stated(10, interval), jets=jets, copies=copies)
        throughput = found.as_dict()["throughput"]
        assert throughput["keeps_up"] == (throughput["busy_cycles"] <= throughput["window_cycles"])
        assert throughput["keeps_up"] == (copies >= throughput["copies_needed"])
        assert throughput["window_cycles"] == throughput["copy_sets"] * throughput["event_cycles"]

    @pytest.mark.parametrize(
        ("apart", "wait"), [(None, 40), (1, 41), (4, 44), (8, 88)]
    )  # 12 jets on 2 copies of interval 8: the last waits for its copy, or for itself
    def test_jets_that_come_one_after_the_other(self, phase2: Budget, apart: int | None, wait: int) -> None:
        coming = None if apart is None else JetInterval(value=apart, source="a test", status="unverified")
        budget = phase2.model_copy(update={"jet_interval": coming})
        assert check(budget, stated(260, 8)).wait_cycles == wait

    @given(jets=st.integers(1, 30), copies=st.integers(1, 30), interval=st.integers(1, 40), apart=st.fractions(0, 20))
    def test_the_wait_against_jets_one_by_one(self, jets: int, copies: int, interval: int, apart: Any) -> None:
        free = [0] * copies
        for jet in range(jets):
            enter = max(free[jet % copies], math.ceil(jet * apart))
            free[jet % copies] = enter + interval
        assert last_jet_wait(jets, copies, interval, apart) == enter

    @pytest.mark.parametrize("wrong", [{"jets": 2**31}, {"copies": 2**31}, {"jets": 1025}, {"copies": 1025}])
    def test_numbers_above_any_trigger(self, phase2: Budget, wrong: dict[str, Any]) -> None:
        with pytest.raises(L1emuError, match="expected 1 to 1,024"):
            check(phase2, stated(10, 1), **wrong)

    @pytest.mark.parametrize("cycles", [(2**31, 1), (10, 2**31), (1_000_001, 1)])
    def test_cycles_above_any_trigger(self, cycles: tuple[int, int]) -> None:
        with pytest.raises(L1emuError, match="of no trigger"):
            stated(*cycles)

    def test_a_resource_that_the_part_does_not_have(self, phase2: Budget) -> None:
        timing = replace(stated(10, 1), resources={"LUT": 5, "URAM": 2}, available={"LUT": 100, "URAM": 0})
        result = check(phase2, timing)
        assert result.fits_part is False and not result.passed
        assert result.as_dict()["part"]["use"][1]["share"] is None


class TestTimingFromReports:
    def read(self, tmp_path: Path, **changes: Any) -> Any:
        path = tmp_path / "tagger_csynth.xml"
        path.write_text(csynth_xml(Design(**changes)))
        return read_report(path)

    def test_cycles_times_the_running_period_never_the_estimated(self, tmp_path: Path, phase2: Budget) -> None:
        timing = TaggerTiming.from_report(self.read(tmp_path), 360)
        assert timing.latency_ns == pytest.approx(84 * CROSSING_NS / 9)
        assert (timing.kind, timing.status, timing.caveats) == ("synthesized", "verified", ())
        # The tagger's number is proven, but the slice it has to fit is still an assumption.
        assert check(phase2, timing).slice.status == "unverified"

    @pytest.mark.parametrize("target", ["2.78", "2.80", "5.00"])
    def test_a_slower_target_proves_nothing(self, tmp_path: Path, target: str) -> None:
        timing = TaggerTiming.from_report(self.read(tmp_path, target=target), 360)
        assert timing.status == "unverified"
        assert "not proven" in timing.caveats[-1] and f"{float(target):g} ns" in timing.caveats[-1]

    def test_a_design_that_does_not_fit_is_never_verified(self, tmp_path: Path, phase2: Budget) -> None:
        timing = TaggerTiming.from_report(self.read(tmp_path, lut=2_000_000), 360)
        assert timing.status == "unverified" and "does not fit" in timing.caveats[0]
        fits = TaggerTiming.from_report(self.read(tmp_path), 360)
        assert check(phase2, fits).throughput_status == "verified"
        assert check(phase2, timing).throughput_status == "unverified"
        # Jets that the user gives have no source.
        assert check(phase2, fits, jets=8).throughput_status == "unverified"

    def test_failed_timing_never_passes(self, tmp_path: Path, phase2: Budget) -> None:
        timing = TaggerTiming.from_report(self.read(tmp_path, estimated="2.60"), 240)
        result = check(phase2, timing)
        assert result.slice.passed and result.chain.passed and result.keeps_up
        assert not result.passed and "TIMING FAILURE" in result.reasons[0]

    def test_the_worst_case_counts(self, tmp_path: Path) -> None:
        report = self.read(tmp_path, best=80, worst=101, low=40, high=60, pipeline="dataflow")
        timing = TaggerTiming.from_report(report, 360)
        assert (timing.latency_cycles, timing.interval_cycles) == (101, 60)

    def test_cosimulation_alone_names_no_clock_and_may_lack_the_interval(self, tmp_path: Path) -> None:
        path = tmp_path / "tagger_cosim.rpt"
        path.write_text(cosim_rpt())
        timing = TaggerTiming.from_report(read_report(path), 360)
        assert timing.status == "unverified" and "names no clock" in timing.caveats[-1]
        path.write_text(cosim_rpt(interval=("NA",) * 3))
        with pytest.raises(L1emuError, match="no initiation interval"):
            TaggerTiming.from_report(read_report(path), 360)

    def test_stated_for_a_slower_clock_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "timing.yaml"
        path.write_text(
            "{tagger: one, latency_cycles: 260, interval_cycles: 8, clock_mhz: 360, kind: stated, origin: a test}"
        )
        known = read_timing(path)
        assert known == STATED
        assert "at 480 MHz more cycles" in TaggerTiming.from_stated(known, 480).caveats[-1]
        assert len(TaggerTiming.from_stated(known, 240).caveats) == 1

    @pytest.mark.parametrize("cycles", [(-1, 1), (1, 0)])
    def test_impossible_cycles(self, cycles: tuple[int, int]) -> None:
        with pytest.raises(L1emuError, match="below"):
            stated(*cycles)
