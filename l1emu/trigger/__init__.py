"""Seeds and menus, decisions, rates and efficiencies with their uncertainties.

Jets come as `ak.Array` (crossings, var) of records with `pt` in GeV, `eta`, `phi` and one field a class of the tagger,
`tag_b` and so on. Nothing here knows how they were made.

compare       seeds compared at equal rate: who keeps more signal, and how sure that is
crossings     weighted crossings
decisions     decisions of seeds on crossings
efficiencies  efficiencies with Clopper-Pearson intervals
intervals     intervals of Clopper and Pearson
menu          seeds as data
menu_counts   what the crossings of a sample say about a menu, as integers that add over its parts
rates         trigger rates in kHz of stratified crossings
rates_of_menu rates of a whole menu: seeds, groups and total, pure, proportional and in overlap
replicas      weights of bootstrap replicas, by hash
tails         how probable an accept may be in a stratum whose hard scale is bounded above, where none was seen
text          rates and efficiencies as they are written for people
turn_on_fits  turn-on curves fitted, and where they reach a share of their plateau
turn_on_setup turn-on curves as data
turn_ons      turn-on curves counted against generated quantities
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.trigger.compare import AtRate, Gain, SeedScan, at_rate, gain, scan_seed, scan_working_points
    from l1emu.trigger.crossings import Crossings
    from l1emu.trigger.decisions import decide, reach
    from l1emu.trigger.efficiencies import Efficiency, efficiency, scan_efficiency
    from l1emu.trigger.menu import HtCondition, JetCondition, Seed, Tag
    from l1emu.trigger.menu_counts import MenuCounts, MenuEntry, count_menu
    from l1emu.trigger.rates import RateScan, scan_rates
    from l1emu.trigger.rates_of_menu import MenuRates, menu_rates, rates_of_counts

__all__ = [
    "AtRate",
    "Crossings",
    "Efficiency",
    "Gain",
    "HtCondition",
    "JetCondition",
    "MenuCounts",
    "MenuEntry",
    "MenuRates",
    "RateScan",
    "Seed",
    "SeedScan",
    "Tag",
    "at_rate",
    "count_menu",
    "decide",
    "efficiency",
    "gain",
    "menu_rates",
    "rates_of_counts",
    "reach",
    "scan_efficiency",
    "scan_rates",
    "scan_seed",
    "scan_working_points",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "compare": ("AtRate", "Gain", "SeedScan", "at_rate", "gain", "scan_seed", "scan_working_points"),
        "crossings": ("Crossings",),
        "decisions": ("decide", "reach"),
        "efficiencies": ("Efficiency", "efficiency", "scan_efficiency"),
        "menu": ("HtCondition", "JetCondition", "Seed", "Tag"),
        "menu_counts": ("MenuCounts", "MenuEntry", "count_menu"),
        "rates_of_menu": ("MenuRates", "menu_rates", "rates_of_counts"),
        "rates": ("RateScan", "scan_rates"),
    },
)
