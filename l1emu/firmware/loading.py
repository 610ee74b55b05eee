"""The weights of a project: what a C simulation loads, held against what a synthesis finds in the headers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.firmware.cxx.lexer import Place, Token, text_of
from l1emu.firmware.cxx.parser import Declaration
from l1emu.firmware.project import Project
from l1emu.firmware.top import Invocation, Loading
from l1emu.firmware.weights import (
    from_initializer,
    from_text,
    is_initializer_of,
    powers_from_initializer,
    powers_from_text,
)
from l1emu.fixedpoint import FixedPoint

_LOADERS = ("load_weights_from_txt", "load_exponent_weights_from_txt")


class LoadedWeights:
    """The arrays of weights of a project, each with the file that it is loaded from, if there is one.

    `ports` are those that are parameters of the top function: a synthesis has no numbers of them.
    """

    def __init__(self, project: Project, ports: dict[str, Declaration]) -> None:
        self._project = project
        self._ports = ports
        self._loads: dict[str, tuple[FixedPoint, int, str, Place]] = {}

    def load(self, loading: Loading) -> None:
        """Note what is loaded where."""
        if (elsewhere := self._project.unit.weights_elsewhere) is not None:
            place, text = elsewhere
            raise place.error("weights from another folder are not supported", text, '"weights"')
        for statement in loading.inside:
            if [token.text for token in statement.tokens] == ["loaded_weights", "=", "true", ";"]:
                continue
            if (
                not isinstance(statement, Invocation)
                or statement.space != "nnet"
                or statement.function not in _LOADERS
                or statement.templates is None
            ):
                raise statement.place.error("this way to load weights is not supported", statement.text[:100])
            self._note(statement, statement.templates)

    def _note(self, call: Invocation, types: tuple[tuple[Token, ...], ...]) -> None:
        place, name = call.place, (*call.names, "")[0]
        plain = [len(part) == 1 and part[0].kind for part in call.arguments]
        if len(types) != 2 or plain != ["name", "string"] or name in self._loads:
            raise place.error("load_weights_from_txt with unusual arguments", call.text[:100])
        count = self._project.evaluate(types[1], place)
        if not isinstance(count, int):
            raise place.error("the count of weights is not a number", text_of(types[1]))
        powers = call.function == "load_exponent_weights_from_txt"
        kind = self._project.exponent_type(types[0], place) if powers else self._project.type(types[0], place)
        declared = self._ports.get(name) or self._project.scope.declarations.get(name)
        if declared is None or declared.kind != "array":
            raise place.error("numbers are loaded into something that is no array of weights", name)
        (size,) = self._project.shape(declared.size, declared.place)[:1]
        same = text_of(types[0]) == text_of(declared.type)
        if not same and (powers or self._project.type(declared.type, declared.place) != kind):
            raise place.error(f"{name} is loaded as another type than it has; this does not compile", text_of(types[0]))
        if size != count:
            raise place.error(f"as many numbers are not loaded into {name} as it has", count, str(size))
        self._loads[name] = (kind, count, call.arguments[1][0].text.strip('"'), place)

    def _file(self, name: str, place: Place) -> Path:
        """A file of weights, which must lie in the project."""
        folder = self._project.firmware / "weights"
        root = self._project.root.resolve()
        parts = Path(name).parts
        if (
            len(name) > 250
            or Path(name).is_absolute()
            or ".." in parts
            or not parts
            or root not in (folder / name).resolve().parents
        ):
            raise place.error("a file of weights outside the project", name, "a file in weights/")
        return folder / name

    def weights(self, name: str, kind: FixedPoint, place: Place) -> Ints:
        """An array of weights: what a C simulation loads and what a synthesis finds in the header must be the same."""
        declared = self._ports.get(name) or self._project.arrays.get(name)
        if declared is None:
            raise place.error("no weights of this name are loaded, and there is no header with them", name)
        stored = self._project.type(declared.type, declared.place)
        if stored != kind:
            raise declared.place.error(f"{name} has another type than its layer's", str(stored), str(kind))
        count = math.prod(self._project.shape(declared.size, declared.place))
        if name not in self._loads:
            if declared.value is None:
                raise declared.place.error(f"{name} is given no numbers here, and none are loaded")
            simulated = self._project.scope.declarations.get(name)
            if simulated is None or simulated.value is None:
                raise declared.place.error(
                    f"{name} has its numbers in a synthesis alone: a C simulation loads none, and computes with zeros"
                )
            return from_initializer(declared, count, kind)
        stored, count, file, where = self._loads[name]
        if stored != kind:
            raise where.error(f"{name} is loaded as another type than its layer's", str(stored), str(kind))
        path = self._file(file, where)
        loaded = from_text(path, count, kind)
        if declared.value is not None and not is_initializer_of(path, count, declared):
            self._compare(path, declared, loaded, from_initializer(declared, count, kind), kind)
        return loaded

    @staticmethod
    def _compare(path: Path, declared: Declaration, loaded: Ints, synthesized: Ints, kind: FixedPoint) -> None:
        """Refuse weights of which a synthesis, that reads the header alone, makes other numbers than a C simulation."""
        if loaded.size != synthesized.size:
            raise L1emuError(
                f"not as many weights as in {declared.place.path.name}",
                path=path,
                value=loaded.size,
                expected=str(synthesized.size),
            )
        different = np.flatnonzero(loaded != synthesized)
        if different.size:
            first = int(different[0])
            raise L1emuError(
                f"the weights differ from those of {declared.place.path.name}, which a synthesis reads",
                path=path,
                where=f"entry {first + 1}",
                value=float(kind.to_float(loaded[first])),
                expected=str(float(kind.to_float(synthesized[first]))),
            )

    def powers(self, name: str, kind: FixedPoint, place: Place) -> tuple[Ints, Ints]:
        """Signs and exponents of weights that are powers of two, as `weights`."""
        if name not in self._loads:
            raise place.error("no powers of two of this name are loaded", name)
        stored, count, file, where = self._loads[name]
        if stored != kind:
            raise where.error(f"{name} is loaded as another type than its layer's", str(stored), str(kind))
        path = self._file(file, where)
        signs, exponents = powers_from_text(path, count, kind)
        declared = self._ports.get(name) or self._project.arrays[name]
        if declared.value is not None:
            others = powers_from_initializer(declared, count, kind)
            for loaded, synthesized in zip((signs, exponents), others, strict=True):
                self._compare(path, declared, loaded, synthesized, FixedPoint.int_type(kind.width + 1))
        return signs, exponents
