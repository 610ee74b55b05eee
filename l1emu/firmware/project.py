"""An hls4ml project folder: its sources, and the questions that the reader asks them."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from l1emu.errors import L1emuError
from l1emu.files import read_text, sha256_bytes
from l1emu.firmware.backend import read_backend
from l1emu.firmware.cpp import (
    Declaration,
    Expression,
    Function,
    Lexed,
    Number,
    Place,
    Scope,
    Struct,
    Token,
    lex,
    parse,
    split,
    statements,
    text_of,
)
from l1emu.fixedpoint import FixedPoint

_WIDEST = 1024  # bits that the fixed-point headers have


@dataclass
class Config:
    """A config struct, asked member by member; what was not asked for is refused by `finish`."""

    project: Project
    struct: Struct
    asked: set[str] = field(default_factory=set)

    @property
    def place(self) -> Place:
        return self.struct.place

    def member(self, name: str) -> Declaration:
        """A member of the struct, or of its base in the project's own headers."""
        self.asked.add(name)
        struct: Struct | None = self.struct
        while struct is not None:
            if name in struct.members:
                return struct.members[name]
            struct = self.project.base(struct)
        raise self.place.error(f"{self.struct.name} lacks the member {name}")

    def has(self, name: str) -> bool:
        """Whether the struct itself declares the member."""
        return name in self.struct.members

    def number(self, name: str) -> Number:
        """A constant member's value."""
        declared = self.member(name)
        if declared.kind != "value" or declared.value is None:
            raise declared.place.error(f"{self.struct.name}::{name} is not a constant")
        return Expression(declared.value, declared.place, self._lookup).value()

    def integer(self, name: str) -> int:
        """A member that must be a whole number."""
        value = self.number(name)
        if not isinstance(value, int):
            raise self.member(name).place.error(f"{self.struct.name}::{name} is not an integer", value)
        return value

    def symbol(self, name: str) -> str:
        """A member that must be an enumerator: its last name."""
        value = self.number(name)
        if not isinstance(value, str):
            raise self.member(name).place.error(f"{self.struct.name}::{name} is not an enumerator", value)
        return value.split("::")[-1]

    def type(self, name: str) -> FixedPoint:
        """A member type."""
        declared = self.member(name)
        if declared.kind != "type":
            raise declared.place.error(f"{self.struct.name}::{name} is not a type")
        return self.project.type(declared.type, declared.place)

    def fixed_point(self, name: str) -> tuple[int, FixedPoint]:
        """A constant of a fixed-point type, set outside the struct or inside: its raw value and its type."""
        declared = self.member(name)
        kind = self.project.type(declared.type, declared.place)
        outside = self.project.scope.declarations.get(f"{self.struct.name}::{name}")
        stated = declared if outside is None else outside
        if stated.value is None:
            raise self.place.error(f"{self.struct.name}::{name} is never defined")
        value = Expression(stated.value, stated.place, self._lookup).value()
        if isinstance(value, str):
            raise stated.place.error(f"{self.struct.name}::{name} is not a number", value)
        return int(kind.from_float(np.array([value], dtype=np.float64))[0]), kind

    def same_type(self, name: str, other: Config) -> bool:
        """Whether a member type is that of another config, by its name or by what it stands for."""
        mine, others = self.member(name), other.member(name)
        return text_of(mine.type) == text_of(others.type) or self.type(name) == other.type(name)

    def exponent_type(self, name: str) -> FixedPoint:
        """A member type of weights that are powers of two: the type of their exponents."""
        declared = self.member(name)
        return self.project.exponent_type(declared.type, declared.place)

    def template(self, name: str) -> str:
        """The name that a member template stands for, without its arguments."""
        declared = self.member(name)
        texts = [token.text for token in declared.type]
        return "".join(texts[: texts.index("<")] if "<" in texts else texts)

    def nested(self, name: str) -> Config:
        """A member type that is itself a config struct."""
        declared = self.member(name)
        return self.project.config(text_of(declared.type), declared.place)

    def static_array(self, name: str) -> tuple[int, ...]:
        """A static array of integers that is defined outside the struct, directly or through a pointer."""
        self.asked.add(name)
        declared = self.project.scope.declarations.get(f"{self.struct.name}::{name}")
        if declared is None or declared.value is None:
            raise self.place.error(f"{self.struct.name}::{name} is never defined")
        target = text_of(declared.value)
        if declared.kind != "array":
            declared = self.project.scope.declarations.get(target)
            if declared is None or declared.value is None or declared.kind != "array":
                raise self.place.error(f"{self.struct.name}::{name} points to no array", target)
        return self._whole_numbers(declared)

    def array(self, name: str) -> tuple[int, ...]:
        """A static array of integers that is defined inside the struct."""
        declared = self.member(name)
        if declared.kind != "array" or declared.value is None:
            raise declared.place.error(f"{self.struct.name}::{name} is not an array with its numbers")
        return self._whole_numbers(declared)

    @staticmethod
    def _whole_numbers(declared: Declaration) -> tuple[int, ...]:
        texts = [token.text for token in declared.value or () if token.text not in ("{", "}", ",")]
        if not all(text.isdigit() for text in texts):
            raise declared.place.error("not a list of whole numbers", " ".join(texts)[:60])
        return tuple(int(text) for text in texts)

    def finish(self, *harmless: str) -> None:
        """Refuse members that nobody asked for: they may change the numbers. `harmless` ones are known not to."""
        for name, declared in self.struct.members.items():
            if name not in self.asked and name not in harmless:
                raise declared.place.error(f"{self.struct.name} has a member that is not known here", name)

    def _lookup(self, name: str) -> Number:
        if "::" not in name:
            try:
                return self.number(name)
            except L1emuError:
                return self.project.constant(name, self.place)
        return self.project.constant(name, self.place)


class Project:
    """The C++ sources below an hls4ml project folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.root = Path(folder)
        if not self.root.is_dir():
            raise L1emuError("no such folder", path=self.root, expected="an hls4ml project")
        self.backend = read_backend(self.root)
        self.firmware = self._firmware_folder()
        self.source, self.name = self._top()
        self.scope = Scope()
        self._types: dict[str, FixedPoint] = {}
        self.namespaces: list[str] = []
        for header in ("defines.h", "parameters.h"):
            path = self.firmware / header
            lexed = lex(read_text(path), path)
            self.scope.update(parse(lexed))
            texts = [token.text for token in lexed.tokens]
            found = {b for a, b in itertools.pairwise(texts) if a == "namespace"} - {"nnet"}
            self.namespaces += sorted(found - set(self.namespaces))
        self.spaces = {"nnet", *self.namespaces}  # those that functions may lie in
        code = self.firmware / "nnet_utils" / "nnet_code_gen.h"
        if code.is_file():
            texts = [token.text for token in lex(read_text(code), code).tokens]
            self.spaces |= {b for a, b in itertools.pairwise(texts) if a == "namespace"}

    @cached_property
    def qualified_name(self) -> str:
        """The top function's name with the namespace that its file is in, if there is one."""
        texts = [token.text for token in lex(read_text(self.source), self.source).tokens]
        spaces = {b for a, b in itertools.pairwise(texts) if a == "namespace"} & set(self.namespaces)
        return "::".join([*(spaces if len(spaces) == 1 else ()), self.name])

    def _firmware_folder(self) -> Path:
        """Where the sources lie: ``firmware/``, or ``NN/`` or the folder itself in CMS's emulators of the trigger."""
        folder = self.root / "firmware"
        others = [other for other in (self.root / "NN", self.root) if (other / "parameters.h").is_file()]
        if folder.is_dir() or not others:
            if not folder.is_dir():
                raise L1emuError("no folder firmware/ inside", path=self.root, expected="an hls4ml project")
            return folder
        return others[0]

    def _top(self) -> tuple[Path, str]:
        """The file with the top function, and its name: that of the file, if not the only one beside the configs."""
        sources = sorted(self.firmware.glob("*.cpp"))
        tops = [p for p in sources if re.search(rf"\b{re.escape(p.stem)}\s*\(", read_text(p))]
        # VivadoAccelerator wraps the top function in another of its own
        tops = [p for p in tops if p.stem.removesuffix("_axi") not in {q.stem for q in tops if q != p}]
        with_configs = [p for p in sources if 'parameters.h"' in read_text(p)]
        if with_configs:  # a file that others wrote around it does not include the configs
            tops = [p for p in tops if p in with_configs]
        if not tops and len(with_configs) == 1:
            functions = list(parse(lex(read_text(with_configs[0]), with_configs[0])).functions)
            if len(functions) == 1:
                return with_configs[0], functions[0]
        if len(tops) != 1:
            found = ", ".join(p.name for p in sources) or "none"
            raise L1emuError(
                "the top function's file was not found", path=self.firmware, value=found, expected="one <top>.cpp"
            )
        return tops[0], tops[0].stem

    @cached_property
    def source_hash(self) -> str:
        """SHA-256 over the files that decide the numbers, by name and content."""
        files = [self.source, self.firmware / "defines.h", self.firmware / "parameters.h"]
        files += sorted((self.firmware / "weights").glob("*"))
        files += sorted((self.firmware / "nnet_utils").glob("*.h"))
        listed = [f"{p.relative_to(self.firmware)} {sha256_bytes(p.read_bytes())}" for p in files if p.is_file()]
        return sha256_bytes("\n".join(listed).encode())

    @cached_property
    def headers(self) -> dict[str, Lexed]:
        """The kernels' headers, as tokens by file name."""
        folder = self.firmware / "nnet_utils"
        if not folder.is_dir():
            raise L1emuError("no folder nnet_utils/ with the kernels", path=self.firmware)
        kept = [p for p in sorted(folder.glob("nnet_*.h")) if not re.search(r"garnet|math", p.name)]
        return {path.name: lex(read_text(path), path) for path in kept}

    def top(self) -> tuple[Function, list[Token]]:
        """The top function, its body with comments."""
        lexed = lex(read_text(self.source), self.source, comments=True)
        bare = Lexed(lexed.path, [t for t in lexed.tokens if t.kind != "comment"])
        function = parse(bare).functions.get(self.name)
        if function is None:
            raise L1emuError(f"the function {self.name} is not defined", path=self.source)
        start = function.body[0].start if function.body else function.end
        return function, [t for t in lexed.tokens if start <= t.start < function.end]

    @staticmethod
    def parameters(function: Function) -> tuple[list[list[Token]], list[str]]:
        """The parameters that carry data, and the names of those after them that only report sizes.

        hls4ml up to 0.4 ends the list with ``unsigned short &`` parameters, which the function sets to constants.
        """
        data: list[list[Token]] = []
        sizes: list[str] = []
        for parameter in split(list(function.parameters)):
            if [token.text for token in parameter[:-1]] == ["unsigned", "short", "&"]:
                sizes.append(parameter[-1].text)
            elif sizes:
                raise function.place.error("data after the parameters that report sizes", text_of(parameter))
            else:
                data.append(parameter)
        return data, sizes

    def constant(self, name: str, place: Place) -> Number:
        """A constant by name: of the namespace, of a struct, or an enumerator of nnet."""
        bare = name.removeprefix("nnet::")
        if bare in ("io_parallel", "latency", "resource", "resource_unrolled", "distributed_arithmetic", "io_stream"):
            return bare
        if "::" in bare:
            owner, _, member = bare.rpartition("::")
            if owner in self.scope.structs:
                return Config(self, self.scope.structs[owner]).number(member)
            return bare
        if name != bare and bare[:1].isalpha():
            return bare  # an enumerator such as nnet::Average
        declared = self.scope.declarations.get(name)
        if declared is None or declared.kind != "value" or declared.value is None:
            raise place.error("unknown name", name)
        return Expression(declared.value, declared.place, lambda n: self.constant(n, declared.place)).value()

    def evaluate(self, tokens: list[Token] | tuple[Token, ...], place: Place) -> Number:
        """A constant expression at namespace level."""
        return Expression(tokens, place, lambda name: self.constant(name, place)).value()

    def shape(self, tokens: list[Token] | tuple[Token, ...], place: Place) -> tuple[int, ...]:
        """An array's size as a shape: the factors of a product such as ``16*12``."""
        factors: list[list[Token]] = [[]]
        for token in tokens:
            if token.text == "*":
                factors.append([])
            else:
                factors[-1].append(token)
        values = [self.evaluate(factor, place) for factor in factors]
        sizes = tuple(v for v in values if isinstance(v, int) and v > 0)
        if len(sizes) != len(values):
            raise place.error("not an array's size", text_of(tokens))
        return sizes

    def type(self, tokens: list[Token] | tuple[Token, ...], place: Place) -> FixedPoint:
        """A fixed-point type, through typedefs."""
        kept = [t for t in tokens if t.text not in ("const", "typename")]
        text = text_of(kept)
        if text in self._types:
            return self._types[text]
        if [token.text for token in kept[-2:]] == ["::", "value_type"]:
            return self.stream_type(kept[:-2], place)[0]
        if kept and kept[0].text in ("ap_fixed", "ap_ufixed", "ap_int", "ap_uint"):
            try:
                kind = FixedPoint.parse(text)
            except L1emuError as error:
                raise place.error(error.message, text, error.expected) from None
            if kind.width > _WIDEST:
                raise place.error("types this wide are not supported", text, f"at most {_WIDEST} bits")
        else:
            declared = self.scope.declarations.get(text)
            if declared is None or declared.kind != "type":
                known = "ap_fixed, ap_ufixed, ap_int or ap_uint"
                raise place.error("a type that is not known here", text, known)
            kind = self.type(declared.type, declared.place)
        self._types[text] = kind
        return kind

    def exponent_type(self, tokens: list[Token] | tuple[Token, ...], place: Place) -> FixedPoint:
        """The type of the exponents of weights that are powers of two: a struct of a sign and a `weight`."""
        declared = self.scope.declarations.get(text_of(list(tokens)))
        inner = list(declared.type[2:-1]) if declared is not None and declared.kind == "struct" else []
        members = [text_of(part).replace(" ", "") for part in split(inner, ";") if part]
        if len(members) != 2 or members[0] != "ap_uint<1>sign" or not members[1].endswith(">weight"):
            raise place.error("not a type of powers of two", text_of(list(tokens)), "a struct of sign and weight")
        kind = FixedPoint.parse(members[1].removesuffix("weight"))
        if not kind.is_integer:
            raise place.error("exponents that are no whole numbers", str(kind))
        return kind

    def stream_type(self, tokens: list[Token] | tuple[Token, ...], place: Place) -> tuple[FixedPoint, int]:
        """What a stream carries: the type of the numbers, and how many travel together (`nnet::array`)."""
        kept = [t for t in tokens if t.text not in ("const", "typename")]
        texts = [token.text for token in kept]
        if texts[:4] == ["nnet", "::", "array", "<"] and texts[-1] == ">":
            parts = split(kept[4:-1])
            size = self.evaluate(parts[1], place) if len(parts) == 2 else None
            if isinstance(size, int) and size > 0:
                return self.type(parts[0], place), size
        declared = self.scope.declarations.get(text_of(kept))
        if declared is None or declared.kind != "type":
            raise place.error("not a type that streams carry", text_of(kept), "nnet::array<ap_fixed<...>, n>")
        return self.stream_type(declared.type, declared.place)

    def config(self, name: str, place: Place) -> Config:
        """A config struct by name."""
        struct = self.scope.structs.get(name)
        if struct is None:
            raise place.error("unknown config struct", name)
        return Config(self, struct)

    def generated_class(self, name: str) -> str | None:
        """The code of a class that hls4ml generated for this project, without white space; None if there is none."""
        lexed = self.headers.get("nnet_code_gen.h")
        for statement in statements(lexed.tokens, lexed.path) if lexed else ():
            texts = [token.text for token in statement]
            if any(a in ("class", "struct") and b == name for a, b in itertools.pairwise(texts)):
                return "".join(texts)
        return None

    def base(self, struct: Struct) -> Struct | None:
        """The struct that `struct` derives from, read from the project's own headers."""
        if struct.base is None:
            return None
        if struct.base in self.scope.structs:
            return self.scope.structs[struct.base]
        found = self._base_structs.get(struct.base)
        if found is None:
            raise struct.place.error(f"the base of {struct.name} is not in nnet_utils", struct.base)
        return found

    @cached_property
    def _base_structs(self) -> dict[str, Struct]:
        """The config structs that the kernels' headers define."""
        found: dict[str, Struct] = {}
        for lexed in self.headers.values():
            kept: list[Token] = []
            for statement in statements(lexed.tokens, lexed.path):
                if statement[0].text == "struct" and statement[1].text.endswith("config"):
                    kept += statement
            found.update(parse(Lexed(lexed.path, kept)).structs)
        return found
