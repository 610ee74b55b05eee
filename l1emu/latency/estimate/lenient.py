"""A project and its config structs, asked leniently: what is missing, or not understood, has a default."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.backend import tool_of
from l1emu.firmware.cxx.lexer import Place, Token, split, text_of
from l1emu.firmware.cxx.parser import Declaration, Struct
from l1emu.firmware.preprocess import Unit
from l1emu.firmware.project import ConfigStruct, Project
from l1emu.firmware.top import Variable

_FIXED_POINT = ("ap_fixed", "ap_ufixed", "ap_int", "ap_uint")
_TYPEDEFS = 8  # names that stand for names
_MOST = 1 << 40


class LenientProject(Project):
    """A project of which only `firmware/` must be there, and no kernels; the top is the file that calls the layers.

    `unread` lists members of config structs that are there and could not be made out.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.unread: list[str] = []
        super().__init__(folder)

    def _unit(self, *, synthesis: bool) -> Unit:
        return self._synthesized

    @cached_property
    def _synthesized(self) -> Unit:
        return super()._unit(synthesis=True)

    def _top(self) -> tuple[Path, str]:
        found = [p for p in sorted(self.firmware.glob("*.cpp")) if re.search(r"nnet\s*::\s*\w+\s*<", read_text(p))]
        tops = [p.stem for p in found if (self.firmware / f"{p.stem}.h").is_file()]
        stated = self._setting(r'set\s+project_name\s+"?(\w+)"?', r"(?m)^ProjectName:\s*(\w+)")
        if stated in tops:
            tops = [str(stated)]
        return (self.firmware / f"{tops[0]}.cpp", tops[0]) if len(tops) == 1 else super()._top()

    def _setting(self, tcl: str, yaml: str) -> str | None:
        for name, pattern in (("project.tcl", tcl), ("hls4ml_config.yml", yaml), ("build_prj.tcl", tcl)):
            path = self.root / name
            found = re.search(pattern, read_text(path)) if path.is_file() else None
            if found:
                return found[1].strip().strip("\"'")
        return None

    def tool(self) -> str | None:
        """Vivado or Vitis (HLS): the tool that has been at work in the folder, else the backend's own."""
        for left_behind, tool in (("vivado_hls.app", "Vivado"), ("hls.app", "Vitis")):
            if any(self.root.glob(f"*_prj/{left_behind}")):
                return tool
        return tool_of(self.backend)

    def part(self) -> str | None:
        return self._setting(r'set(?:\s+part|_part)\s+[{"]?([\w-]+)[}"]?', r"(?m)^(?:Part|XilinxPart):\s*(\S+)")

    def clock_ns(self) -> float | None:
        text = self._setting(r"set\s+clock_period\s+(\S+)", r"(?m)^ClockPeriod:\s*(\S+)")
        return None if text is None else self._decimal("clock period", text, "a period in ns")

    def uncertainty(self) -> float | None:
        text = self._setting(r"set\s+clock_uncertainty\s+(\S+)%", r"(?m)^ClockUncertainty:\s*['\"]?(\S+)%")
        return None if text is None else self._decimal("clock uncertainty", text, "a percentage") / 100

    def _decimal(self, what: str, text: str, expected: str) -> float:
        if not re.fullmatch(r"\d{1,9}(?:\.\d*)?|\.\d+", text) or len(text) > 40:
            raise L1emuError(f"the project's {what} is no number", path=self.root, value=text, expected=expected)
        return float(text)

    def kernel(self) -> bool:
        """Whether the network is a function of an accelerator's kernel, which reads and writes its buffers."""
        return self.backend == "VitisAccelerator"

    def fabric(self) -> bool:
        path = self.root / "build_prj.tcl"
        return path.is_file() and bool(
            re.search(r"(?m)^\s*config_(?:op|bind)\s.*\bmul\b.*-impl\s+fabric", read_text(path))
        )

    def resolved(self, kind: Sequence[Token]) -> tuple[Token, ...]:
        """What a type stands for, through typedefs, as far as they are known."""
        tokens = tuple(t for t in kind if t.text not in ("const", "typename"))
        for _ in range(_TYPEDEFS):
            declared = self.scope.declarations.get(text_of(tokens))
            if declared is None or declared.kind != "type":
                break
            tokens = declared.type
        return tokens

    def width(self, kind: Sequence[Token]) -> tuple[int, int]:
        """Bits of a type, and how many numbers of it travel together; 16 and 1 where it cannot be made out."""
        pack, tokens = 1, self.resolved(kind)
        texts = [token.text for token in tokens]
        if texts[:4] == ["nnet", "::", "array", "<"] and texts[-1] == ">":
            *carried, size = split(list(tokens[4:-1]))
            pack = math.prod(self._factor(factor) for factor in split(size, "*"))
            tokens = self.resolved([token for part in carried for token in part])
            texts = [token.text for token in tokens]
        if texts[:1] == ["bool"]:
            return 1, pack
        if len(texts) > 2 and texts[0] in _FIXED_POINT and re.fullmatch(r"\d{1,9}", texts[2]):
            return int(texts[2]), pack
        return 16, pack

    def _factor(self, tokens: list[Token]) -> int:
        try:
            value = self.evaluate(tokens, Place(self.source, 0))
        except L1emuError:
            return 1
        return value if isinstance(value, int) else 1

    def size(self, variable: Variable) -> int:
        """The numbers of an array; 0 for a stream, and where it cannot be made out."""
        if variable.stream:
            return 0
        try:
            return math.prod(self.shape(variable.size, variable.place))
        except L1emuError:
            return 0


class Members:
    """A config struct's members, asked leniently: what is missing has a default."""

    def __init__(self, project: LenientProject, name: str | None) -> None:
        struct = None if name is None else project.scope.structs.get(name)
        above, seen = struct, set()
        while above is not None:
            if above.name in seen:
                raise above.place.error(f"{above.name} derives from itself")
            seen.add(above.name)
            above = project.scope.structs.get(above.base) if above.base else None
        self.project = project
        self.config = None if struct is None else ConfigStruct(project, struct)

    @property
    def known(self) -> bool:
        return self.config is not None

    def _declared(self, name: str) -> Declaration | None:
        if self.config is None:
            return None
        struct: Struct | None = self.config.struct
        while struct is not None:
            if name in struct.members:
                return struct.members[name]
            struct = self.project.scope.structs.get(struct.base) if struct.base else None
        return None

    def has(self, name: str) -> bool:
        return self._declared(name) is not None

    def number(self, name: str) -> int | float | str | None:
        if not self.has(name) or self.config is None:
            return None
        try:
            return self.config.number(name)
        except L1emuError:
            return None

    def integer(self, name: str, default: int) -> int:
        value = self.number(name)
        if isinstance(value, int | float) and abs(value) < _MOST:
            # layers of one dimension have -1 for the sizes of the other
            return default if value == -1 and name.endswith(("_height", "_width")) else int(value)
        if self.has(name) and self.config is not None:
            place = self.config.place
            text = f"not understood: {self.config.struct.name}::{name} in {place.path.name}, {default} assumed"
            if text not in self.project.unread:
                self.project.unread.append(text)
        return default

    def value(self, name: str) -> tuple[Token, ...]:
        """The tokens of a member's value; none if it has none."""
        declared = self._declared(name)
        return () if declared is None or declared.value is None else tuple(declared.value)

    def symbol(self, name: str) -> str | None:
        value = self.number(name)
        return value.split("::")[-1] if isinstance(value, str) else None

    def type(self, name: str) -> tuple[Token, ...] | None:
        """What a member type stands for."""
        declared = self._declared(name)
        return tuple(declared.type) if declared is not None and declared.kind == "type" else None

    def width(self, name: str) -> int | None:
        """Bits of a member type; None if there is none."""
        kind = self.type(name)
        return None if kind is None else self.project.width(kind)[0]

    def saturates(self, name: str) -> bool:
        """Whether a member type's overflow is saturation."""
        return "AP_SAT" in text_of(self.project.resolved(self.type(name) or ()))

    def template(self, name: str) -> str | None:
        """The name, without namespace and arguments, that a member template stands for."""
        declared = self._declared(name)
        if declared is None or declared.kind != "template":
            return None
        texts = [token.text for token in declared.type]
        return next((b for b, after in itertools.pairwise([*texts, "<"]) if after == "<"), None)

    def nested(self, name: str) -> Members:
        """The config that a member type is."""
        kind = self.type(name)
        return Members(self.project, None if kind is None else text_of(kind))
