"""The module that is generated for one firmware: the text that is compiled, and the same to be read.

Comments are only in the text to be read, so that neither a layer's name nor their wording has a kernel compiled anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from l1emu.emulator.vector import blocks, conversions, ops, ops_x86
from l1emu.emulator.vector.context import KernelCall
from l1emu.emulator.vector.features import Features
from l1emu.emulator.vector.llvm import OPERATIONS

_LOADING, _STORING = "loading the inputs", "storing the outputs"
_WIDE = ("gather", "load_block", "mulhi16", "pack16")
"""What has another form where there is AVX-512."""


def forms(features: Features) -> dict[str, str]:
    """By the name that kernels use for an operation, that of the form that fits the processor."""
    found = {name: name for name in OPERATIONS}
    found["dot16"] = f"dot16_{features.dot16}"
    if features.wide:
        found |= {name: f"{name}_wide" for name in _WIDE}
    return found


@dataclass(frozen=True)
class GeneratedModule:
    """The parts of a generated module.

    Attributes
    ----------
    kernels
        Names by what follows them: arguments and lines.
    exact
        The name of the module of the exact kernels.
    before, calls, after
        What is done for every 16 jets: inputs to rows of the exact kernels, calls, outputs.
    results
        How many tensors come out: `execute` takes an array of bytes (jets, bytes) and a kind of number for each, see
        `l1emu.emulator.vector.conversions.to_out`.
    """

    title: str
    features: Features
    exact: str
    kernels: dict[str, str]
    before: tuple[str, ...]
    calls: tuple[KernelCall, ...]
    after: tuple[str, ...]
    results: int

    @property
    def stages(self) -> tuple[str, ...]:
        """What ticks are counted for: loading, each layer that calls something, storing."""
        return (_LOADING, *dict.fromkeys(call.layer for call in self.calls), _STORING)

    def source(self) -> str:
        """The text that is compiled; it defines `execute`."""
        return self._text([*self.before, *_lines(self.calls), *self.after])

    def profiled(self) -> str:
        """The same with a count of ticks around the calls of every layer, by `stages`."""
        loop = ["begin = ticks()", *self.before, *_counted(0)]
        for number, stage in enumerate(self.stages[1:-1], start=1):
            loop += _lines(call for call in self.calls if call.layer == stage)
            loop += _counted(number)
        return self._text([*loop, *self.after, *_counted(len(self.stages) - 1)], "spent, ")

    def readable(self) -> str:
        """The text that is compiled, with what each call does as comments."""
        loop = [*(["# the inputs to the exact kernels' rows", *self.before] if self.before else [])]
        for call in self.calls:
            loop += ["", *(f"# {line}" for line in call.about), *call.lines]
        return self._text([*loop, "", "# the outputs", *self.after], comment=f"# {self.title}, for {self.features}")

    def definitions(self) -> str:
        """The text that is compiled, without what it imports."""
        return "\n".join(self._body([*self.before, *_lines(self.calls), *self.after])) + "\n"

    def _body(self, loop: Sequence[str], arguments: str = "") -> list[str]:
        lines = []
        for kernel, name in self.kernels.items():
            lines += ["", "", "@inner", f"def {name}{kernel}"]
        outputs = ", ".join(f"out{number}, kind{number}" for number in range(self.results))
        return [
            *lines,
            "",
            "",
            "@compiled",
            f"def execute(V, C, work, table, code, raw, {arguments}{outputs}):",
            "    jets, odd = raw.shape[0], 0",
            "    for first in range(0, jets, 16):",
            "        n = min(16, jets - first)",
            *(f"        {line}" if line else "" for line in loop),
            "    return odd",
        ]

    def _text(self, loop: Sequence[str], arguments: str = "", comment: str = "") -> str:
        body = self._body(loop, arguments)
        head = ['"""Kernels of one firmware, written by l1emu.emulator.passes.plan."""', "", *self._imports(body)]
        return "\n".join([*([comment] if comment else []), *head, *body]) + "\n"

    def _imports(self, body: Sequence[str]) -> list[str]:
        """Import lines of what the body calls."""
        called = set(re.findall(r"\b[a-z_0-9]+(?=\()", "\n".join(line for line in body if not _is_comment(line))))
        found: dict[str, list[str]] = {
            "l1emu.emulator.cache": ["compiled", "inner"],
            conversions.__name__: sorted(called & conversions.CONVERSIONS.keys()),
        }
        for name, form in sorted(forms(self.features).items()):
            if name in called:
                home = next(m for m in (ops, ops_x86, blocks) if OPERATIONS[form].compiled is vars(m).get(form))
                found.setdefault(home.__name__, []).append(form if form == name else f"{form} as {name}")
        lines = [f"from {module} import {', '.join(names)}" for module, names in sorted(found.items()) if names]
        return [f"import {self.exact} as exact", *lines]


def _lines(calls: Iterable[KernelCall]) -> list[str]:
    return [line for call in calls for line in call.lines]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _counted(stage: int) -> list[str]:
    """The ticks since `begin` go to `stage`."""
    return ["end = ticks()", f"spent[{stage}] += end - begin", "begin = end"]
