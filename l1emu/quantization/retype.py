"""A project with other types, as hls4ml would write it.

Types of weights and data are those of a choice. What hls4ml infers from them follows: a type that states what a rule
of `l1emu.quantization.rules` gives for the project as it is, states what that rule gives for the new types. Any other
type stays as it is; `Retyper.notes` names what stays though the types around it change. Weights are written anew, from
the digits of the project, with as many decimals as hls4ml writes for their type.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.quantization.choices import BitGrid, TypeChoice
from l1emu.quantization.rules import (
    added_type,
    covering_type,
    mean_type,
    norm_type,
    product_type,
    softmax_sizes,
    sum_type,
)
from l1emu.quantization.sites import (
    FIXED_TYPE,
    WEIGHT_MEMBERS,
    LayerSite,
    ProjectText,
    read_text_of,
    struct_body,
    typedefs,
)

_DEFAULT = "model_default_t"
_SUMS = ("dense", "conv_1d_cl", "conv_2d_cl", "pointwise_conv_1d_cl", "pointwise_conv_2d_cl", "depthwise_conv_1d_cl",
         "depthwise_conv_2d_cl", "normalize")  # fmt: skip
_MOVES = ("repack_stream", "clone_stream", "transpose", "zeropad1d_cl", "zeropad2d_cl", "cropping1d_cl",
          "cropping2d_cl", "resize_nearest", "pooling1d_cl", "pooling2d_cl", "global_pooling1d_cl",
          "global_pooling2d_cl")  # fmt: skip
_HEADER = re.compile(r"(\w+)(\s+(\w+)\[\d+\])")
_NEW = "retyped_"
"""What typedefs that are added begin with."""
_TABLE_SIZE = 1024
"""hls4ml's, where a configuration says nothing."""


def _grid_of(kind: FixedPoint, grid: BitGrid | None) -> FixedPoint:
    """A type on another grid; its sign, rounding and overflow stay."""
    return kind if grid is None else replace(kind, width=grid.bits, integer=grid.integer)


def _text(kind: FixedPoint) -> str:
    """A type as hls4ml writes it."""
    return str(kind).replace(", ", ",")


@dataclass
class Retyper:
    """A project, and the text of it with other types.

    Parameters
    ----------
    project
        An hls4ml project folder.

    Raises
    ------
    L1emuError
        as `Firmware.read` does; or if the project is not written as hls4ml writes it.
    """

    project: Path
    firmware: Firmware = field(init=False)
    text: ProjectText = field(init=False)
    _digits: dict[tuple[str, int], str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.project.is_dir():
            raise L1emuError(
                "there is no text to give other types",
                path=self.project,
                expected="an hls4ml project folder (l1emu convert writes one of a tagger), or a Keras model",
            )
        self.firmware = Firmware.read(self.project)
        self.text = read_text_of(
            self.project, self.firmware.name, tuple(tensor.name for tensor in self.firmware.inputs)
        )

    @cached_property
    def weights(self) -> dict[str, FixedPoint]:
        """The layers with weights of their own, and the type of their first (the others follow it)."""
        return {site.name: self._weight_types(site)[0] for site in self.text.sites if site.weights}

    @cached_property
    def data(self) -> dict[str, FixedPoint]:
        """The inputs, and the layers whose result's type is not inferred from others."""
        kinds = self.text.types
        found = {name: kinds[kind] for name, kind in self.text.inputs.items()}
        for site in self.text.sites:
            if site.results and self._inferred(site, kinds, self._weight_types(site)) != kinds[site.results[0]]:
                found[site.name] = kinds[site.results[0]]
        return found

    @cached_property
    def decimals(self) -> int:
        """The decimals of the project's weights: what is beyond them is lost."""
        found = [0]
        for site in self.text.sites:
            for name in site.weights:
                words = self._words(name)
                found.append(max(len(word.partition(".")[2]) for word in words))
        return max(found)

    @cached_property
    def exact_fractions(self) -> dict[str, int]:
        """By layer the fraction bits on whose grid all weights lie, where the project's type has no more.

        Such weights were quantized before hls4ml wrote them: more fraction bits bring nothing back.
        """
        found = {}
        for site in self.text.sites:
            kinds = self._weight_types(site)
            values = [np.array(self._words(name), dtype=np.float64) for name in site.weights]
            on_grid = (kind.to_float(kind.from_float(v)) for kind, v in zip(kinds, values, strict=True))
            if values and all(np.array_equal(v, g) for v, g in zip(values, on_grid, strict=True)):
                found[site.name] = kinds[0].fraction
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """What stays as it is, and where the information about the weights ends."""
        found = []
        if self.exact_fractions and len(self.exact_fractions) == len(self.weights):
            found.append(
                f"the weights lie on the grid of their type, up to {max(self.exact_fractions.values())} fraction bits: "
                "more bits bring nothing back"
            )
        else:
            found.append(
                f"the weights have {self.decimals} decimals: with more than {self.decimals} fraction bits they are "
                "written with as many digits as there are, and the last bit of a weight may differ from hls4ml's"
            )
        kept = [name for name, rule in self.accumulators.items() if rule == "kept" and name in self.weights]
        if kept:
            found.append(f"accumulators of types of their own stay as they are: {', '.join(kept)}")
        tables = [site.name for site in self.text.sites if site.function.startswith("softmax")]
        tables = [name for name in tables if self.accumulators.get(name) == "kept"]
        if tables:
            found.append(f"tables and sums of types of their own stay as they are: {', '.join(tables)}")
        return tuple(found)

    def place(self, folder: Path) -> None:
        """Copy the project to a folder that `write` then changes; what was built or synthesized of it is left out."""
        shutil.copytree(
            self.project, folder, ignore=shutil.ignore_patterns("*.so", "*.o", "*_prj", "keras_model.*", "__pycache__")
        )

    def write(self, choice: TypeChoice, folder: Path) -> None:
        """Write the files of a choice into a copy of the project (`place`).

        Raises
        ------
        L1emuError
            if the choice names a layer that has no such types.
        """
        for what, chosen, known in (("weights", choice.weights, self.weights), ("data", choice.data, self.data)):
            for layer in chosen:
                if layer not in known:
                    raise L1emuError(
                        f"no layer of this name has {what} of a type of its own",
                        where="--layers",
                        value=layer,
                        expected=", ".join(known),
                    )
        types, of_weights = self._new_types(choice)
        parameters = self.text.parameters
        added = []
        for site in self.text.sites:
            parameters, more = self._structs(site, parameters, types, of_weights, choice)
            added += more
        source = self.text.source
        for site in self.text.sites:
            for name, kind in zip(site.weights, of_weights[site.name], strict=True):
                called = f"{_NEW}{site.name}_{name}_t"
                added.append(f"typedef {_text(kind)} {called};")
                source = re.sub(
                    rf"(weights_from_txt<)[^,<>]+(?:<[^<>]*>)?(,[^<>]*>\({name},)", rf"\1{called}\2", source
                )
                self._write_weights(name, kind, called, folder / "firmware" / "weights")
        firmware = folder / "firmware"
        (firmware / "defines.h").write_text(self._defines(types, added))
        (firmware / "parameters.h").write_text(parameters)
        (firmware / f"{self.text.name}.cpp").write_text(source)

    def precisions(self, choice: TypeChoice) -> dict[str, dict[str, FixedPoint]]:
        """The types of a choice in hls4ml's words: by layer ``result``, ``weight``, ``bias``, ``scale``, ``accum``.

        Of an accumulator only where it has the type that hls4ml infers.
        """
        types, of_weights = self._new_types(choice)
        found: dict[str, dict[str, FixedPoint]] = {
            name: {"result": types[called]} for name, called in self.text.inputs.items()
        }
        for site in self.text.sites:
            mine = {"result": types[site.results[0]]} if site.results else {}
            if site.weights:
                kinds = of_weights[site.name]
                mine |= {"weight": kinds[0], "scale": kinds[0], "bias": kinds[-1]}
            if self.accumulators.get(site.name) == "inferred":
                kind = self._accumulator(site, types, of_weights[site.name])
                assert kind is not None
                mine["accum"] = kind
            found[site.name] = mine
        return found

    def _new_types(self, choice: TypeChoice) -> tuple[dict[str, FixedPoint], dict[str, tuple[FixedPoint, ...]]]:
        """The types of tensors by typedef and of weights by layer, along the network."""
        old, new = self.text.types, dict(self.text.types)
        for name, called in self.text.inputs.items():
            new[called] = _grid_of(old[called], choice.data.get(name))
        of_weights = {}
        for site in self.text.sites:
            grid = choice.weights.get(site.name)
            before = self._weight_types(site)
            of_weights[site.name] = tuple(_grid_of(kind, grid) for kind in before)
            now = self._inferred(site, new, of_weights[site.name])
            for called in site.results:
                if now is not None and self._inferred(site, old, before) == old[called]:
                    new[called] = now
                else:
                    new[called] = _grid_of(old[called], choice.data.get(site.name))
        return new, of_weights

    def _inferred(
        self, site: LayerSite, types: Mapping[str, FixedPoint], weights: tuple[FixedPoint, ...]
    ) -> FixedPoint | None:
        """The type that hls4ml infers for a result, if it infers one."""
        inputs = [types[name] for name in site.inputs]
        if not inputs:
            return None
        if site.function in _SUMS and weights:
            return sum_type(inputs[0], weights[0], weights[-1], self._terms(site))
        if site.function in _MOVES:
            return inputs[0]
        if len(inputs) < 2:
            return None
        if site.function in ("add", "subtract", "average"):
            return added_type(inputs[0], inputs[1], site.function == "subtract")
        if site.function == "multiply":
            return product_type(inputs[0], inputs[1])
        if site.function in ("maximum", "minimum") or site.function.startswith("concatenate"):
            return covering_type(inputs)
        return None

    @staticmethod
    def _terms(site: LayerSite) -> int:
        if site.function == "normalize":
            return 1
        if site.function == "dense":
            return site.number("n_in")
        window = site.number("filt_height") * site.number("filt_width")
        return window if site.function.startswith("depthwise") else window * site.number("n_chan")

    def _weight_types(self, site: LayerSite) -> tuple[FixedPoint, ...]:
        """The types of a call's weights, of their headers."""
        return tuple(self._declared[name] for name in site.weights)

    @cached_property
    def _declared(self) -> dict[str, FixedPoint]:
        found = {}
        for site in self.text.sites:
            for name in site.weights:
                header = self.project / "firmware" / "weights" / f"{name}.h"
                stated = _HEADER.search(self._header(name))
                if stated is None or stated[3] != name or stated[1] not in self.text.types:
                    raise L1emuError("no weights of a fixed-point type of defines.h", path=header, where=name)
                found[name] = self.text.types[stated[1]]
        return found

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {}

    def _header(self, name: str) -> str:
        if name not in self._headers:
            limit = 1 << 28
            self._headers[name] = read_text(self.project / "firmware" / "weights" / f"{name}.h", limit=limit)
        return self._headers[name]

    @cached_property
    def _all_words(self) -> dict[str, list[str]]:
        return {}

    def _words(self, name: str) -> list[str]:
        """A variable's weights as they are written, of its text file or its header."""
        if name not in self._all_words:
            file = self.project / "firmware" / "weights" / f"{name}.txt"
            text = read_text(file, limit=1 << 28) if file.is_file() else self._header(name)
            if not file.is_file():
                text = text[text.index("{") + 1 : text.rindex("}")]
            self._all_words[name] = [word.strip() for word in text.strip().rstrip(",").split(",")]
        return self._all_words[name]

    def _write_weights(self, name: str, kind: FixedPoint, called: str, folder: Path) -> None:
        decimals = max(0, kind.fraction)
        if (name, decimals) not in self._digits:
            form = f"%.{decimals}f"
            self._digits[name, decimals] = ", ".join([form % float(word) for word in self._words(name)])
        text = self._digits[name, decimals]
        if (folder / f"{name}.txt").is_file():
            (folder / f"{name}.txt").write_text(text)
        header = re.sub(rf"\w+(\s+{name}\[)", rf"{called}\1", self._header(name))
        first, last = header.find("{"), header.rfind("}")
        (folder / f"{name}.h").write_text(f"{header[: first + 1]}{text}{header[last:]}" if first >= 0 else header)

    @cached_property
    def accumulators(self) -> dict[str, str]:
        """What the accumulator of each layer follows: ``default``, ``inferred``, or nothing (``kept``)."""
        found = {}
        for site in self.text.sites:
            bodies = [struct_body(self.text.parameters, name) for name in site.structs]
            own = [typedefs(body[2]) for body in bodies if body is not None]
            stated = next((members["accum_t"] for members in own if "accum_t" in members), None)
            if stated is None or not site.inputs:
                continue
            kind = self.text.types.get(stated)
            wanted = self._accumulator(site, self.text.types, self._weight_types(site))
            found[site.name] = "default" if stated == _DEFAULT else "inferred" if kind == wanted else "kept"
        return found

    def _accumulator(
        self, site: LayerSite, types: Mapping[str, FixedPoint], weights: tuple[FixedPoint, ...]
    ) -> FixedPoint | None:
        if "pooling" in site.function:
            if not site.members.get("pool_op", "").endswith("Average"):
                return types[site.inputs[0]]
            return mean_type(types[site.inputs[0]], site.number("pool_height") * site.number("pool_width"))
        return self._inferred(site, types, weights) if site.function in _SUMS else None

    def _structs(
        self,
        site: LayerSite,
        parameters: str,
        types: Mapping[str, FixedPoint],
        of_weights: Mapping[str, tuple[FixedPoint, ...]],
        choice: TypeChoice,
    ) -> tuple[str, list[str]]:
        """The config structs of a call with its new types, and the typedefs that these need."""
        members: dict[str, tuple[str, FixedPoint]] = {}
        if site.weights:
            weights = of_weights[site.name]
            for member in WEIGHT_MEMBERS:
                kind = weights[-1] if member in ("bias_t", "recurrent_bias_t") else weights[0]
                members[member] = f"{_NEW}{site.name}_{member}", kind
        follows = self.accumulators.get(site.name)
        if follows == "inferred":
            kind_of_sum = self._accumulator(site, types, of_weights[site.name])
            assert kind_of_sum is not None
            members["accum_t"] = f"{_NEW}{site.name}_sum_t", kind_of_sum
        default = self.text.types.get(_DEFAULT)
        added = {}
        for struct in site.structs:
            found = struct_body(parameters, struct)
            if found is None:
                continue
            body = found[2]
            for member, stated in typedefs(body).items():
                if member in members and (stated in self.text.types or FIXED_TYPE.fullmatch(stated)):
                    called, kind = members[member]
                elif stated == _DEFAULT and default is not None:
                    called, kind = f"{_NEW}{site.name}_default_t", _grid_of(default, self._data_grid(site, choice))
                else:
                    continue
                added[called] = f"typedef {_text(kind)} {called};"
                body = re.sub(rf"typedef\s+{re.escape(stated)}\s+{member}\s*;", f"typedef {called} {member};", body)
            if site.function.startswith("softmax"):
                body = self._softmax(site, body, types)
            parameters = parameters[: found.start(2)] + body + parameters[found.end(2) :]
        return parameters, list(added.values())

    def _data_grid(self, site: LayerSite, choice: TypeChoice) -> BitGrid | None:
        """The grid of what is inside a layer and of the project's default type: that of its result."""
        return choice.data.get(site.name, choice.default)

    def _softmax(self, site: LayerSite, body: str, types: Mapping[str, FixedPoint]) -> str:
        """The distance's type and the tables' sizes of a softmax."""
        members = typedefs(body)
        old, new = self.text.types[site.inputs[0]], types[site.inputs[0]]
        stated = members.get("inp_norm_t", "")
        if FIXED_TYPE.fullmatch(stated) and FixedPoint.parse(stated) == norm_type(old):
            now = norm_type(new)
            body = body.replace(
                f"typedef {stated} inp_norm_t;", f"typedef ap_ufixed<{now.width}, {now.integer}> inp_norm_t;"
            )
        table = types.get(members.get("inv_table_t", ""))
        if table is None:
            return body
        stable = site.members.get("implementation", "").endswith("stable")
        if stable and old.signed and FIXED_TYPE.fullmatch(stated) and FixedPoint.parse(stated) != norm_type(old):
            return body  # types and sizes of its own, which stay
        asked = self._asked_sizes.get(site.name, _TABLE_SIZE)
        mine = site.number("exp_table_size", 0), site.number("inv_table_size", 0)
        if mine != softmax_sizes(asked, old, self.text.types[members["inv_table_t"]], stable):
            return body  # sizes of its own, which stay
        for name, size in zip(("exp", "inv"), softmax_sizes(asked, new, table, stable), strict=True):
            body = re.sub(rf"({name}_table_size = )\d+", rf"\g<1>{size}", body)
        return body

    @cached_property
    def _asked_sizes(self) -> dict[str, int]:
        """By layer the table sizes that hls4ml was asked for, of the configuration that it leaves in the project."""
        file = self.project / "hls4ml_config.yml"
        if not file.is_file():
            return {}
        found = re.findall(r"^    (\w+):\n((?:      .*\n)+)", read_text(file), re.MULTILINE)
        sizes = {name: re.search(r"^      TableSize: (\d{1,7})$", inside, re.MULTILINE) for name, inside in found}
        return {name: int(size[1]) for name, size in sizes.items() if size is not None}

    def _defines(self, types: Mapping[str, FixedPoint], added: list[str]) -> str:
        text = self.text.defines
        for name, kind in types.items():
            if kind != self.text.types[name]:
                text = re.sub(
                    rf"^(\s*typedef\s+.*?){FIXED_TYPE.pattern}(.*?\s{name}\s*;)",
                    lambda found, kind=kind: f"{found[1]}{_text(kind)}{found[2]}",  # type: ignore[misc]
                    text,
                    count=1,
                    flags=re.MULTILINE,
                )
        end = text.rindex("#endif")
        return text[:end] + "\n".join(added) + "\n\n" + text[end:]
