"""A generated module as the program of one jet: for a GPU, compiled for this processor, or in plain Python.

The module that `l1emu.emulator.passes.plan` writes works on vectors of 16 jets. Its text is taken as it is, with one
jet in their place: `l1emu.emulator.cuda.ops` and `blocks` hold what it calls, and the exact kernels are called for one
jet side by side. Everything that is proven of the text holds for every jet by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from types import FunctionType
from typing import Any

import numba

from l1emu.emulator.cuda.blocks import LANE_CONVERSIONS
from l1emu.emulator.cuda.ops import LANE_OPS
from l1emu.emulator.vector.features import Features
from l1emu.emulator.vector.render import GeneratedModule

GPU_FEATURES = Features(dot8=True, dot16="dp2a", permute8=True, fused=True)
"""What a thread can do: what vectors do with AVX-512, and pairs of int16 times bytes."""

Making = Callable[[Callable[..., Any]], Any]
"""What makes a function of plain Python callable by others that were made so."""

_EXACT = re.compile(r"\(work, table, 16, code")
_PLACE = re.compile(r"V\[(\w+) \* 16 \+ n(?: \+ (\d+))?\]")  # a number that kernels keep in a lane of scratch


def jet_source(module: GeneratedModule, layer: str | None = None) -> str:
    """The text that defines `jet`: all that is done for jet `first`, on words `V` and rows `work` of its own.

    `raw` holds the columns of the jet, and each output is an array (jets, size) beside the kind of its numbers.

    Parameters
    ----------
    layer
        The layer that alone is done, to time it; None for all, from loading to storing.
    """
    lines: list[str] = []
    for kernel, name in module.kernels.items():
        lines += ["@inner", f"def {name}{kernel}", ""]
    outputs = ", ".join(f"out{number}, kind{number}" for number in range(module.results))
    lines += ["@inner", f"def jet(V, C, work, table, code, raw, first, {outputs}):", "    n, odd = 1, 0"]
    loop = [line for call in module.calls if layer in (None, call.layer) for line in call.lines]
    if layer is None:
        before = ["for r in range(raw.shape[0]):", "    work[r] = raw[r]"] if module.before else []
        loop = [*before, *loop, *module.after]
    lines += [f"    {line}" for line in loop]
    text = "\n".join(lines) + "\n"
    text = _PLACE.sub(lambda found: f"V[{found[1]} + n + {int(found[2] or 0) // 16}]", text)
    return _EXACT.sub("(work, table, 1, code", text)


def jet_function(
    module: GeneratedModule,
    wrap: Making,
    own: Mapping[str, Any],
    layer: str | None = None,
    *,
    exact: Making | None = None,
) -> Any:
    """`jet` of `jet_source`, all functions that it needs made by `wrap`; `own` are operations to use instead.

    `exact` makes the exact kernels, if they are to be made otherwise.
    """
    made: dict[int, Any] = {}
    source = jet_source(module, layer)
    called = set(re.findall(r"\b[a-z_0-9]+(?=\()", source))
    known = {**LANE_OPS, **LANE_CONVERSIONS}
    space: dict[str, Any] = {name: own.get(name) or remade(known[name], wrap, made) for name in known.keys() & called}
    kernels = import_module(module.exact)
    for name in set(re.findall(r"\bexact\.([a-z_0-9]+)\(", source)):
        space[f"exact_{name}"] = remade(getattr(kernels, name), exact or wrap, made)
    space |= {"inner": wrap, "__name__": f"l1emu_jet_{module.title}"}
    exec(compile(re.sub(r"\bexact\.", "exact_", source), f"<{module.title}, one jet>", "exec"), space)
    return space["jet"]


def remade(function: Any, wrap: Making, made: dict[int, Any]) -> Any:
    """A function of l1emu, and all those that it calls, as plain Python made anew by `wrap`; each once, by `made`."""
    plain = getattr(function, "py_func", function)
    if id(plain) not in made:
        space = dict(plain.__globals__)
        for name in plain.__code__.co_names:
            value = space.get(name)
            if isinstance(getattr(value, "py_func", value), FunctionType) and _is_ours(value):
                space[name] = remade(value, wrap, made)
        made[id(plain)] = wrap(FunctionType(plain.__code__, space, plain.__name__))
    return made[id(plain)]


def _is_ours(function: Any) -> bool:
    return str(getattr(function, "py_func", function).__module__).startswith("l1emu")


def as_it_is(function: Callable[..., Any]) -> Any:
    """`wrap` of what runs in plain Python: slow, with the meaning that numpy's integers have."""
    return function


def compiled_here(function: Callable[..., Any]) -> Any:
    """`wrap` of what is compiled for this processor, to check the bits of a whole batch where there is no GPU."""
    return numba.njit(error_model="numpy")(function)
