"""Read the chain that a file describes: a topology with all its times, or a layout with those of a latency budget."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError

from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.latency.budget import Budget, read_budget
from l1emu.resources import resolve
from l1emu.stream.layout import ChainLayout, topology_of
from l1emu.stream.topology import Topology, check_clocks


def read_topology(path: str | Path, *, budget: Budget | None = None) -> Topology:
    """Read a topology from YAML: a whole one, or a layout whose times are those of a budget.

    Parameters
    ----------
    budget
        A budget in the place of the one that the layout names.

    Raises
    ------
    L1emuError
        at the first unknown, missing or wrong key, if the parts do not fit together, or if a budget is given and the
        topology has times of its own.
    """
    return read_planned(path, budget=budget)[0]


def has_budget(path: str | Path) -> bool:
    """Whether the times of a topology are those of a budget."""
    return re.search(r"^budget\s*:", read_text(path), re.MULTILINE) is not None


def read_planned(path: str | Path, *, budget: Budget | None = None) -> tuple[Topology, Budget | None]:
    """A topology as `read_topology` reads it, and the budget that it was made from; None where it was not."""
    file = Path(path)
    plan: Budget | None = None
    if has_budget(file):
        layout = load_config(file, ChainLayout)
        plan = read_budget(resolve(layout.budget, file.parent)) if budget is None else budget
    elif re.search(r"^stages\s*:", read_text(file), re.MULTILINE):
        raise L1emuError("this is a budget", path=file, expected="a topology, which may name this budget")
    elif budget is not None:
        raise L1emuError(
            "this topology states its own times", path=file, value=budget.name, expected="no budget, or a key `budget`"
        )
    try:
        topology = load_config(file, Topology) if plan is None else topology_of(layout, plan)
        check_clocks(topology.clocks())
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise L1emuError(f"the budget makes no chain: {message}", path=file) from None
    except L1emuError as error:
        raise error.within(file) from None
    return topology, plan
