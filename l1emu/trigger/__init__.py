"""Seeds and menus, decisions, rates and efficiencies with their uncertainties.

Crossings come as `l1emu.eventdata.EventData`, or as jets alone: an `ak.Array` (crossings, var) of records with `pt` in
GeV, `eta`, `phi` and one field a class of the tagger, `tag_b` and so on. Nothing here knows how they were made.

compare           seeds compared at equal rate: who keeps more signal, and how sure that is
conditions        what a seed asks for beside its legs
crossing_weights  crossings that stand for several, and the slices of the pools that they were mixed in
crossings         weighted crossings
decisions         decisions of seeds on crossings
design_effect     how far crossings of one collision are alike, from bootstrap replicas
efficiencies      efficiencies with Clopper-Pearson intervals
engine            menus on crossings, by compiled code
equal_counts      what the crossings of a signal say of seeds at equal rate, as integers that add over its parts
intervals         intervals of Clopper and Pearson
legs              what a seed asks of one object
masks             decisions of a menu as parquet
menu              seeds as data
menu_counts       what the crossings of a sample say about a menu, as integers that add over its parts
open_numbers      the number of a seed that is scanned
pileup            rates at another pile-up
rates             trigger rates in kHz of stratified crossings
rates_of_menu     rates of a whole menu: seeds, groups and total, pure, proportional and in overlap
replicas          weights of bootstrap replicas, by hash
scalings          online to offline scalings from turn-on curves, and what they make of thresholds
scan              the thresholds at which a seed is wanted
scan_counts       what crossings of a sample say about thresholds that are scanned, as integers that add over its parts
seed_checks       what is wrong with a seed or a menu
seed_text         seeds in words
slice_sums        weights of crossings that pass thresholds, summed in every slice of the pools
tails             how probable an accept may be in a stratum whose hard scale is bounded above, where none was seen
text              rates and efficiencies as they are written for people
turn_on_fits      turn-on curves fitted, and where they reach a share of their plateau
turn_on_setup     turn-on curves as data
turn_ons          turn-on curves counted against generated quantities
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.trigger.compare import (
        AtRate,
        BackgroundAt,
        Choice,
        Gain,
        NamedSeed,
        SeedScan,
        at_rate,
        at_rates,
        best_at_rate,
        choose,
        gain,
        gains_of_pairs,
        scan_reach,
        scan_seed,
    )
    from l1emu.trigger.conditions import Between, HtCondition, JetCondition, SumCut, Tag, Veto
    from l1emu.trigger.crossings import Crossings
    from l1emu.trigger.decisions import decide, reach
    from l1emu.trigger.efficiencies import Efficiency, efficiency, scan_efficiency
    from l1emu.trigger.engine.evaluator import Evaluated, Evaluator
    from l1emu.trigger.equal_counts import EqualRateCounts, count_at_rate
    from l1emu.trigger.legs import Leg
    from l1emu.trigger.masks import read_masks, write_masks
    from l1emu.trigger.menu import Menu, Seed, read_menu
    from l1emu.trigger.menu_counts import MenuCounts, MenuEntry, count_menu
    from l1emu.trigger.pileup import pileup_weights, reweighted_rates
    from l1emu.trigger.rates import RateScan, rates_of_scan, scan_menu, scan_rates
    from l1emu.trigger.rates_of_menu import MenuRates, menu_rates, rates_of_counts, tails_of_scan
    from l1emu.trigger.scan import Scan
    from l1emu.trigger.scan_counts import ScanCounts, count_scan
    from l1emu.trigger.turn_on_fits import fit_turn_on
    from l1emu.trigger.turn_ons import TurnOn, TurnOnCounts, count_turn_on

__all__ = [
    "AtRate",
    "BackgroundAt",
    "Between",
    "Choice",
    "Crossings",
    "Efficiency",
    "EqualRateCounts",
    "Evaluated",
    "Evaluator",
    "Gain",
    "HtCondition",
    "JetCondition",
    "Leg",
    "Menu",
    "MenuCounts",
    "MenuEntry",
    "MenuRates",
    "NamedSeed",
    "RateScan",
    "Scan",
    "ScanCounts",
    "Seed",
    "SeedScan",
    "SumCut",
    "Tag",
    "TurnOn",
    "TurnOnCounts",
    "Veto",
    "at_rate",
    "at_rates",
    "best_at_rate",
    "choose",
    "count_at_rate",
    "count_menu",
    "count_scan",
    "count_turn_on",
    "decide",
    "efficiency",
    "fit_turn_on",
    "gain",
    "gains_of_pairs",
    "menu_rates",
    "pileup_weights",
    "rates_of_counts",
    "rates_of_scan",
    "reach",
    "read_masks",
    "read_menu",
    "reweighted_rates",
    "scan_efficiency",
    "scan_menu",
    "scan_rates",
    "scan_reach",
    "scan_seed",
    "tails_of_scan",
    "write_masks",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "compare": (
            "AtRate",
            "BackgroundAt",
            "Choice",
            "Gain",
            "NamedSeed",
            "SeedScan",
            "at_rate",
            "at_rates",
            "best_at_rate",
            "choose",
            "gain",
            "gains_of_pairs",
            "scan_reach",
            "scan_seed",
        ),
        "conditions": (
            "Between",
            "HtCondition",
            "JetCondition",
            "SumCut",
            "Tag",
            "Veto",
        ),
        "crossings": ("Crossings",),
        "decisions": (
            "decide",
            "reach",
        ),
        "efficiencies": (
            "Efficiency",
            "efficiency",
            "scan_efficiency",
        ),
        "engine.evaluator": (
            "Evaluated",
            "Evaluator",
        ),
        "equal_counts": (
            "EqualRateCounts",
            "count_at_rate",
        ),
        "legs": ("Leg",),
        "masks": (
            "read_masks",
            "write_masks",
        ),
        "menu": (
            "Menu",
            "Seed",
            "read_menu",
        ),
        "menu_counts": (
            "MenuCounts",
            "MenuEntry",
            "count_menu",
        ),
        "pileup": (
            "pileup_weights",
            "reweighted_rates",
        ),
        "rates": (
            "RateScan",
            "rates_of_scan",
            "scan_menu",
            "scan_rates",
        ),
        "rates_of_menu": (
            "MenuRates",
            "menu_rates",
            "rates_of_counts",
            "tails_of_scan",
        ),
        "scan": ("Scan",),
        "scan_counts": (
            "ScanCounts",
            "count_scan",
        ),
        "turn_on_fits": ("fit_turn_on",),
        "turn_ons": (
            "TurnOn",
            "TurnOnCounts",
            "count_turn_on",
        ),
    },
)
