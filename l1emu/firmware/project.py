"""An hls4ml project folder: its sources, and the questions that the reader asks them."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from l1emu.errors import L1emuError
from l1emu.files import TEXT_LIMIT, read_bytes, read_text, sha256_bytes
from l1emu.firmware.backend import read_backend, stated_name
from l1emu.firmware.cxx.expression import ConstantValue, Expression
from l1emu.firmware.cxx.lexer import Lexed, Place, Token, split, text_of
from l1emu.firmware.cxx.parser import Declaration, FileScope, FunctionDefinition, Struct, parse, statements
from l1emu.firmware.preprocess import Unit, is_kernels
from l1emu.fixedpoint import FixedPoint

_WIDEST = 1024  # bits that the fixed-point headers have
_DEPTH = 100  # names that stand for names
_LARGEST = 1 << 24  # numbers in an array of a firmware: more than any device computes in parallel

_RANGES = {
    "bool": (0, 1),
    "int": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "unsigned": (0, 2**32 - 1),
    "unsigned int": (0, 2**32 - 1),
    "unsigned short": (0, 2**16 - 1),
    "unsigned char": (0, 255),
    "char": (0, 127),
    "size_t": (0, 2**32 - 1),
    "std::size_t": (0, 2**32 - 1),
}


def _stored(declared: Declaration, value: ConstantValue) -> ConstantValue:
    """The value of a constant of a type of C++, which must hold it; -1 stands for the largest unsigned number."""
    kind = text_of(declared.type)
    if kind in _RANGES and not isinstance(value, str):
        low, high = _RANGES[kind]
        if not isinstance(value, int) or not (low <= value <= high or (value == -1 and kind.startswith("unsigned"))):
            raise declared.place.error(f"a number that {kind} does not hold", value)
    return value


@contextmanager
def _resolving(names: set[str], name: str, place: Place) -> Iterator[None]:
    """Refuse names that stand for themselves, or for each other without end."""
    if name in names or len(names) > _DEPTH:
        raise place.error("a name that is made of itself", name)
    names.add(name)
    try:
        yield
    finally:
        names.discard(name)


def _words(declared: Declaration) -> tuple[str, ...]:
    value = "" if declared.value is None else "= " + text_of(declared.value)
    return declared.kind, text_of(declared.parameters), text_of(declared.type), text_of(declared.size), value


_SIMULATED = (
    "static bool loaded_weights = false ;",
    "if ( ! loaded_weights ) {",
    "nnet :: save_layer_output <",
)
"""How the statements of a top function begin that are for a C simulation alone."""


def _without_loading(function: FunctionDefinition) -> list[str]:
    """A top function's parameters and statements, without those that a synthesis does not see.

    These load weights, or keep what a layer gives (hls4ml's trace).
    """
    found = [text_of(function.parameters)]
    for statement in statements(list(function.body), function.place.path):
        text = " ".join(token.text for token in statement)
        if not text.startswith(_SIMULATED):
            found.append(text)
    return found


def _joined(scopes: Iterable[FileScope]) -> FileScope:
    whole = FileScope()
    for scope in scopes:
        whole.update(scope)
    return whole


def _check_aliases(structs: Iterable[Struct]) -> None:
    """Refuse templates that give another one anything but their own parameters, as they are and in their order."""
    for struct in structs:
        for name, declared in struct.members.items():
            if declared.kind != "template":
                continue
            target = text_of(declared.type)
            stated = target.partition("<")[0].strip()
            parameters = [part for part in split(list(declared.parameters)) if part]
            passed_on = f"{stated}<{', '.join(part[-1].text for part in parameters)}>"
            plain = all(len(part) > 1 and part[-1].kind == "name" and "=" not in text_of(part) for part in parameters)
            if not plain or target.replace(" ", "") != passed_on.replace(" ", ""):
                message = f"{struct.name}::{name} does not pass on its parameters as they are"
                raise declared.place.error(message, target, passed_on)


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if folder in path.parents else path.name


@dataclass
class ConfigStruct:
    """A config struct, asked member by member; what was not asked for is refused by `finish`."""

    project: Project
    struct: Struct
    asked: set[str] = field(default_factory=set)
    _open: set[str] = field(default_factory=set)  # members whose value is being computed

    @property
    def place(self) -> Place:
        return self.struct.place

    def member(self, name: str) -> Declaration:
        """A member of the struct, or of its base in the project's own headers."""
        self.asked.add(name)
        found = self._find(name)
        if found is None:
            raise self.place.error(f"{self.struct.name} lacks the member {name}")
        return found

    def _find(self, name: str) -> Declaration | None:
        struct: Struct | None = self.struct
        seen: list[str] = []
        while struct is not None:
            if name in struct.members:
                return struct.members[name]
            if struct.name in seen:
                raise struct.place.error("a struct that is its own base", struct.name)
            seen.append(struct.name)
            struct = self.project.base(struct)
        return None

    def has(self, name: str) -> bool:
        """Whether the struct itself declares the member."""
        return name in self.struct.members

    def number(self, name: str) -> ConstantValue:
        """A constant member's value."""
        declared = self.member(name)
        if declared.kind != "value" or declared.value is None:
            raise declared.place.error(f"{self.struct.name}::{name} is not a constant")
        with _resolving(self._open, name, declared.place):
            return _stored(declared, Expression(declared.value, declared.place, self._lookup).value())

    def integer(self, name: str) -> int:
        """A member that must be a whole number."""
        value = self.number(name)
        if not isinstance(value, int):
            raise self.member(name).place.error(f"{self.struct.name}::{name} is not an integer", value)
        if abs(value) > _LARGEST and value != 2**32 - 1:
            raise self.member(name).place.error(
                f"{self.struct.name}::{name} is larger than any firmware", value, f"at most {_LARGEST:,}"
            )
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
        inner = text_of(declared.type)
        if inner != name and self._find(inner) is not None:  # a member hides what the namespace calls so
            raise declared.place.error("a type by the name of another member is not supported", inner)
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

    def same_type(self, name: str, other: ConfigStruct) -> bool:
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

    def nested(self, name: str) -> ConfigStruct:
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
        texts = re.findall(r"[^\s{},]+", text_of(declared.value or ()))
        if not all(re.fullmatch(r"0|[1-9]\d{0,17}", text, re.ASCII) for text in texts):
            raise declared.place.error("not a list of whole numbers", " ".join(texts)[:60])
        return tuple(int(text) for text in texts)

    def finish(self, *harmless: str) -> None:
        """Refuse members that nobody asked for: they may change the numbers. `harmless` ones are known not to."""
        for name, declared in self.struct.members.items():
            if name not in self.asked and name not in harmless:
                raise declared.place.error(f"{self.struct.name} has a member that is not known here", name)

    def _lookup(self, name: str) -> ConstantValue:
        if "::" not in name and self._find(name) is not None:
            return self.number(name)
        return self.project.constant(name, self.place)


def firmware_folder(root: Path) -> Path:
    """Where the sources lie: ``firmware/``, or ``NN/`` or the folder itself in CMS's emulators of the trigger."""
    folder = root / "firmware"
    others = [other for other in (root / "NN", root) if (other / "parameters.h").is_file()]
    if folder.is_dir() or not others:
        if not folder.is_dir():
            raise L1emuError("no folder firmware/ inside", path=root, expected="an hls4ml project")
        return folder
    return others[0]


def top_file(root: Path, folder: Path) -> tuple[Path, str]:
    """The file with the top function, and its name: that of the file, if not the only one beside the configs."""
    sources = sorted(folder.glob("*.cpp"))
    tops = [p for p in sources if re.search(rf"\b{re.escape(p.stem)}\s*\(", read_text(p))]
    # VivadoAccelerator wraps the top function in another of its own
    tops = [p for p in tops if p.stem.removesuffix("_axi") not in {q.stem for q in tops if q != p}]
    with_configs = [p for p in sources if 'parameters.h"' in read_text(p)]
    if with_configs:  # a file that others wrote around it does not include the configs
        tops = [p for p in tops if p in with_configs]
    if not tops and len(with_configs) == 1:
        text = read_text(with_configs[0])
        functions = re.findall(r"(?m)^\s*void\s+(\w+)\s*\([^;{]*\)\s*\{", text)
        if len(functions) == 1:
            return with_configs[0], functions[0]
    if len(tops) > 1:  # the last that hls4ml wrote is the one that it names
        stated = stated_name(root)
        tops = [p for p in tops if p.stem == stated] or tops
    if len(tops) != 1:
        found = ", ".join(p.name for p in sources) or "none"
        raise L1emuError("the top function's file was not found", path=folder, value=found, expected="one <top>.cpp")
    return tops[0], tops[0].stem


class Project:
    """The C++ sources below an hls4ml project folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.root = Path(folder)
        if not self.root.is_dir():
            raise L1emuError("no such folder", path=self.root, expected="an hls4ml project")
        self.backend = read_backend(self.root)
        self.firmware = firmware_folder(self.root)
        self.source, name = self._top()
        self._types: dict[str, FixedPoint] = {}
        self._open: set[str] = set()  # names that are being resolved
        self.unit = self._unit(synthesis=False)
        own = {path: parse(lexed) for path, lexed in self.unit.files.items() if not is_kernels(path)}
        self.scope = _joined(own.values())
        functions = list(own[self.source].functions)
        if name not in functions:
            if len(functions) != 1:
                raise L1emuError(f"the function {name} is not defined", path=self.source)
            name = functions[0]
        self.name = name
        for function in self.scope.functions.values():
            if function.name != name:
                raise function.place.error("a function beside the top function is not supported", function.name)
        _check_aliases(self.scope.structs.values())
        parameters = text_of(self.scope.functions[name].parameters)
        for prototype, declared, place in self.scope.prototypes:
            # beside a namespace, a header may write it out
            if prototype == name and re.sub(r"\b\w+::", "", declared) != re.sub(r"\b\w+::", "", parameters):
                raise place.error(
                    "the top function is declared with other parameters", declared[:100], parameters[:100]
                )
        self.arrays = self._arrays()
        self.namespaces: list[str] = []
        for path in own:
            if path != self.source:
                self.namespaces += sorted(self._spaces(path) - {"nnet", *self.namespaces})
        self.spaces = {"nnet", *self.namespaces}  # those that functions may lie in
        code = self.headers.get("nnet_code_gen.h")
        if code is not None:
            self.spaces |= self._spaces(code.path)

    def _top(self) -> tuple[Path, str]:
        return top_file(self.root, self.firmware)

    def _unit(self, *, synthesis: bool) -> Unit:
        folders = (self.firmware, self.root, self.firmware / "ap_types")
        return Unit(self.source, self.root, folders, synthesis=synthesis)

    def _spaces(self, path: Path) -> set[str]:
        texts = [token.text for token in self.unit.files[path].tokens]
        return {b for a, b in itertools.pairwise(texts) if a == "namespace"}

    def _arrays(self) -> dict[str, Declaration]:
        """The arrays of weights, with the numbers that a synthesis finds in the headers; all else must be the same."""
        unit = self._unit(synthesis=True)
        seen = _joined(parse(lexed) for lexed in unit.files.values())
        arrays: dict[str, Declaration] = {}
        for name in self.scope.declarations | seen.declarations:
            mine, synthesized = self.scope.declarations.get(name), seen.declarations.get(name)
            if synthesized is not None and synthesized.kind == "array":
                arrays[name] = synthesized
                if mine is not None and mine.value is None:
                    synthesized = replace(synthesized, value=None)
            if mine is None or synthesized is None or _words(mine) != _words(synthesized):
                place = (mine or synthesized or seen.declarations[name]).place
                raise place.error("a synthesis sees something else than a C simulation", name)
        for struct in (*self.scope.structs.values(), *seen.structs.values()):
            pair = [scope.structs.get(struct.name) for scope in (self.scope, seen)]
            told = [
                None if one is None else (one.base, {name: _words(member) for name, member in one.members.items()})
                for one in pair
            ]
            if told[0] != told[1]:
                raise struct.place.error("a synthesis sees something else than a C simulation", struct.name)
        functions = [scope.functions.get(self.name) for scope in (self.scope, seen)]
        bodies = [None if one is None else _without_loading(one) for one in functions]
        if bodies[0] != bodies[1]:
            place = self.scope.functions[self.name].place
            raise place.error("a synthesis sees another top function than a C simulation", self.name)
        return arrays

    @cached_property
    def qualified_name(self) -> str:
        """The top function's name with the namespace that its file is in, if there is one."""
        spaces = self._spaces(self.source) & set(self.namespaces)
        return "::".join([*(spaces if len(spaces) == 1 else ()), self.name])

    @cached_property
    def source_hash(self) -> str:
        """SHA-256 over the files that decide the numbers, by name and content."""
        files = sorted({*self.unit.files, *(self.firmware / "weights").glob("*.txt")})
        listed = [f"{_below(p, self.root)} {sha256_bytes(read_bytes(p, limit=TEXT_LIMIT))}" for p in files]
        return sha256_bytes("\n".join(listed).encode())

    @cached_property
    def headers(self) -> dict[str, Lexed]:
        """The kernels' headers that the top function's file reaches, as tokens by file name."""
        found: dict[str, Lexed] = {}
        for path, lexed in self.unit.files.items():
            if is_kernels(path):
                if path.name in found:
                    raise L1emuError("a second header of kernels of this name", path=path)
                found[path.name] = Lexed(path, lexed.code)
        return found

    def top(self) -> tuple[FunctionDefinition, list[Token]]:
        """The top function, its body with comments."""
        lexed = self.unit.files[self.source]
        function = self.scope.functions[self.name]
        start = function.body[0].start if function.body else function.end
        return function, [t for t in lexed.tokens if start <= t.start < function.end]

    @staticmethod
    def parameters(function: FunctionDefinition) -> list[tuple[list[Token], bool]]:
        """The parameters, and of each whether it only reports a size.

        hls4ml up to 0.4 has ``unsigned short &`` parameters behind the data, which the function sets to constants.
        """
        reports = ["unsigned", "short", "&"]
        found = split(list(function.parameters))
        return [(parameter, [token.text for token in parameter[:-1]] == reports) for parameter in found]

    def constant(self, name: str, place: Place) -> ConstantValue:
        """A constant by name: of the namespace, of a struct, or an enumerator of nnet."""
        bare = name.removeprefix("nnet::")
        declared = self.scope.declarations.get(name)
        if declared is not None and declared.kind == "value" and declared.value is not None:
            with _resolving(self._open, name, declared.place):
                value = Expression(declared.value, declared.place, lambda n: self.constant(n, place)).value()
            return _stored(declared, value)
        if declared is None and bare in (
            "io_parallel",
            "latency",
            "resource",
            "resource_unrolled",
            "distributed_arithmetic",
            "io_stream",
        ):
            return bare
        if "::" in bare:
            owner, _, member = bare.rpartition("::")
            if owner in self.scope.structs:
                return ConfigStruct(self, self.scope.structs[owner]).number(member)
            return bare
        if name != bare and bare[:1].isalpha():
            return bare  # an enumerator such as nnet::Average
        raise place.error("unknown name", name)

    def evaluate(self, tokens: list[Token] | tuple[Token, ...], place: Place) -> ConstantValue:
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
        if math.prod(sizes) > _LARGEST:
            raise place.error("an array larger than any firmware", text_of(tokens), f"at most {_LARGEST:,} numbers")
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
            kind = self._resolved(text, declared)
        self._types[text] = kind
        return kind

    def _resolved(self, name: str, declared: Declaration) -> FixedPoint:
        """The type that a name stands for."""
        with _resolving(self._open, name, declared.place):
            return self.type(declared.type, declared.place)

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
        """What a stream carries: the type of the numbers, and how many travel together (`nnet::array`).

        They are 0 where the stream carries plain numbers, one at a time: another type in C++ than packs of one.
        """
        kept = [t for t in tokens if t.text not in ("const", "typename")]
        texts = [token.text for token in kept]
        if texts[:4] == ["nnet", "::", "array", "<"] and texts[-1] == ">":
            parts = split(kept[4:-1])
            size = self.evaluate(parts[1], place) if len(parts) == 2 else None
            if isinstance(size, int) and size > 0:
                return self.type(parts[0], place), size
        if texts[0] in ("ap_fixed", "ap_ufixed", "ap_int", "ap_uint"):
            return self.type(kept, place), 0
        declared = self.scope.declarations.get(text_of(kept))
        if declared is None or declared.kind != "type":
            raise place.error("not a type that streams carry", text_of(kept), "nnet::array<ap_fixed<...>, n>")
        with _resolving(self._open, text_of(kept), declared.place):
            return self.stream_type(declared.type, declared.place)

    def config(self, name: str, place: Place) -> ConfigStruct:
        """A config struct by name."""
        struct = self.scope.structs.get(name)
        if struct is None:
            raise place.error("unknown config struct", name)
        return ConfigStruct(self, struct)

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
