"""What a report betrays about itself: failed timing, a part too small, a module or a wrapper posing as the design."""

from __future__ import annotations

import re

from l1emu.latency.reports.model import IntervalRange, Module, Problem, Resources
from l1emu.latency.reports.values import time_ns, time_step_ns

_OLDEST, _NEWEST = (2018, 2), (2025, 1)
"""The releases whose reports were read when this was written."""

_LAYER = re.compile(r"_ap_u?fixed_|_config\d+|(_\d+){3,}(_s)?$|^Loop_|^init_\w+_table_")
"""Template arguments in a name: hls4ml's functions have them, a top function has none."""


def looks_like_layer(name: str) -> bool:
    """Whether a function's name is that of a template or loop inside an hls4ml design rather than of a top."""
    return _LAYER.search(name) is not None


def tool_name(version: str) -> str:
    """The tool that wrote reports in this release: Vivado HLS to 2020.1, Vitis HLS from 2020.2."""
    return "Vivado HLS" if _release(version) < (2020, 2) else "Vitis HLS"


def _release(version: str) -> tuple[int, int]:
    """Year and number of `2023.2` or `2019.2.1`."""
    year, number = version.split(".")[:2]
    return int(year), int(number)


def version_problems(version: str) -> list[Problem]:
    """Whether the release lies outside those that are known."""
    if _OLDEST <= _release(version) <= _NEWEST:
        return []
    return [Problem(f"release {version} is outside 2018.2 to 2025.1: read as the nearest known one")]


def text_problems(part: str, target: str, estimated: str) -> list[Problem]:
    """Texts unlike those of the tools: 2 decimals of the target, 3 of the estimate, parts such as `xcvu13p-x-2-e`."""
    problems = [
        Problem(f"the {name} clock period is written {text!r}, unlike any tool writes it: the report may be damaged")
        for name, text, form in (("target", target, r"[0-9]+\.[0-9]{2}"), ("estimated", estimated, r"[0-9]+\.[0-9]{3}"))
        if not re.fullmatch(form, text)
    ]
    if not re.fullmatch(r"x[a-z]{1,3}\w+(-\w+)+", part, re.ASCII):
        problems.append(Problem(f"{part!r} is not named like a part of Xilinx or AMD"))
    return problems


def clock_problems(target: float, estimated: float, uncertainty: float) -> list[Problem]:
    """Timing: estimated period against target. Above it the design does not run at the clock it was made for."""
    problems = []
    if estimated > target:
        problems.append(
            Problem(
                f"TIMING FAILURE: estimated clock period {estimated:g} ns is above the target {target:g} ns; "
                "the latency claim is void",
                voids=True,
            )
        )
    elif estimated > target - uncertainty + 1e-9:
        problems.append(
            Problem(
                f"estimated clock period {estimated:g} ns meets the target {target:g} ns but not with the "
                f"uncertainty of {uncertainty:g} ns kept free"
            )
        )
    if uncertainty >= target:
        problems.append(Problem(f"clock uncertainty {uncertainty:g} ns is not below the target {target:g} ns"))
    return problems


def cycle_problems(latency: tuple[int, int], interval: IntervalRange) -> list[Problem]:
    """Latency or interval that depends on the data, and an interval of 0."""
    problems = []
    if latency[0] != latency[1]:
        problems.append(
            Problem(f"latency varies from {latency[0]} to {latency[1]} cycles: only the worst may be budgeted")
        )
    low, high = interval
    if low is not None and high is not None and low != high:
        problems.append(Problem(f"interval varies from {low} to {high} cycles: only the worst may be budgeted"))
    return problems


def resource_problems(used: Resources, available: Resources) -> list[Problem]:
    """Resources of which the design takes more than the part offers."""
    problems = []
    for name, taken in used.as_dict().items():
        offered = available.as_dict()[name]
        if taken is not None and offered is not None and taken > offered:
            problems.append(Problem(f"does not fit the part: {name} {taken} of {offered} ({_times(taken, offered)})"))
    return problems


def _times(taken: int, offered: int) -> str:
    return f"{taken / offered:.1f} times" if offered else "the part has none"


def real_time_problems(
    latency: int, written: str | None, target: float, estimated: float, which: str, *, rounding: float = 0.0005
) -> list[Problem]:
    """The absolute latency that tools print beside the cycles must be cycles times target (or failed) period.

    `rounding` is half of the last digit, in ns, that the estimated period was printed with.
    """
    if not written:
        return []
    value = time_ns(written)
    if value is None:
        return [Problem(f"{which} absolute latency is no time: {written!r}", voids=True)]
    slack = time_step_ns(written) * 1.001 + 1e-6
    # Target and estimate are themselves printed rounded, to 0.01 and 0.001 ns.
    if abs(latency * target - value) <= slack + latency * 0.005:
        return []
    if abs(latency * estimated - value) <= slack + latency * rounding:
        return []
    return [
        Problem(
            f"the report contradicts itself: {which} latency of {latency} cycles, but {written.strip()} as a time",
            voids=True,
        )
    ]


def wrapper_problems(
    top: str, latency: tuple[int, int], interval: IntervalRange, modules: tuple[Module, ...]
) -> list[Problem]:
    """A top whose numbers are not those of the network inside it."""
    inner = [module for module in modules if module.latency_cycles is not None and module.name != top]
    if not inner:
        return []
    longest = max(inner, key=lambda module: module.latency_cycles or (0, 0))
    cycles = (longest.latency_cycles or (0, 0))[1]
    if cycles > latency[1]:
        return [
            Problem(
                f"the top {top} claims {latency[1]} cycles but its module {longest.name} takes {cycles}: "
                "it is a wrapper that hides the network",
                voids=True,
            )
        ]
    problems = []
    within = None if longest.interval_cycles is None else longest.interval_cycles[1]
    if interval[1] is not None and within is not None and 2 * cycles > latency[1] and 10 * within < 9 * interval[1]:
        problems.append(
            Problem(
                f"the top {top} wraps {longest.name} and takes an input every {interval[1]} cycles, "
                f"the module alone every {within}"
            )
        )
    if top != longest.name and top.startswith(longest.name):
        problems.append(
            Problem(
                f"the top {top} wraps {longest.name}: {latency[1]} cycles include the wrapper, "
                f"the network alone takes {cycles}"
            )
        )
    return problems


def ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    """Each problem once, those that void the latency first."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: not problem.voids))
