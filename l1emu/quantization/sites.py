"""Where a project's text states the types of its layers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.fixedpoint import FixedPoint

FIXED_TYPE = re.compile(r"ap_u?(?:fixed|int)\s*<[^<>]*>")
"""A fixed-point type as it is written."""
_TYPEDEF = re.compile(r"^\s*typedef\s+(.+?)\s+(\w+)\s*;", re.MULTILINE)
_STRUCT = re.compile(r"^struct\s+(\w+)[^{;]*\{(.*?)^\};", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"^[ \t]*nnet::(\w+)<([^<>;]*)>\(([^();]*)\);[ \t]*(?://[ \t]*(\S+))?", re.MULTILINE)
_ARRAY = re.compile(r"\b(\w+_t)\s+(\w+)\s*\[")
_STREAM = re.compile(r"hls::stream<\s*(\w+)\s*>\s*&?\s*(\w+)")
_ALIAS = re.compile(r"\bauto\s*&\s*(\w+)\s*=\s*(\w+)\s*;")
_LOAD = re.compile(r"nnet::load_(?:compressed_|exponent_)?weights_from_txt<\s*([^,<>]+?)\s*,\s*[^<>]*>\((\w+),")
_MEMBER = re.compile(r"\bstatic const(?:expr)? [\w:]+ (\w+) = ([^;]+);")
_NOT_LAYERS = ("load_weights_from_txt", "save_layer_output")
WEIGHT_MEMBERS = frozenset(
    ["weight_t", "bias_t", "scale_t", "recurrent_weight_t", "recurrent_bias_t", "embeddings_t", "depthwise_t",
     "pointwise_t", "beta_t", "gamma_t"]
)  # fmt: skip
"""Members of config structs that are types of weights."""


@dataclass(frozen=True)
class LayerSite:
    """A call of the top function.

    Attributes
    ----------
    name
        The layer's, of the comment behind the call, or else its result's variable.
    inputs, results
        Typedefs of the tensors that it reads and writes.
    weights
        Variables of its weights, in the call's order.
    structs
        Config structs: its own, and those whose names begin with it.
    members
        Constants of its own config struct, as text.
    """

    name: str
    function: str
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    weights: tuple[str, ...]
    structs: tuple[str, ...]
    members: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: int = 1) -> int:
        """A whole number of the config struct; the default where it states none."""
        text = self.members.get(name, "")
        return int(text) if re.fullmatch(r"\d{1,9}", text) else default


@dataclass(frozen=True)
class ProjectText:
    """The files of a project that state its types.

    Attributes
    ----------
    defines, parameters, source
        Text of defines.h, parameters.h and the top function's file.
    types
        Fixed-point types of the typedefs in defines.h; of a stream, those of its elements.
    inputs
        Variables of the network's inputs and their typedefs.
    sites
        The calls in their order.
    """

    name: str
    defines: str
    parameters: str
    source: str
    types: dict[str, FixedPoint]
    inputs: dict[str, str]
    sites: tuple[LayerSite, ...]


def read_text_of(project: Path, name: str, inputs: tuple[str, ...]) -> ProjectText:
    """Find the types of a project that hls4ml wrote.

    Parameters
    ----------
    project
        The folder.
    name, inputs
        The top function's name and the variables of the network's inputs.

    Raises
    ------
    L1emuError
        naming the file and the place of what is not written as hls4ml writes it.
    """
    firmware = project / "firmware"
    paths = [firmware / "defines.h", firmware / "parameters.h", firmware / f"{name}.cpp"]
    defines, parameters, source = (read_text(path) for path in paths)
    types = {}
    for text, called in _TYPEDEF.findall(defines):
        found = FIXED_TYPE.search(text)
        if found is not None:
            types[called] = FixedPoint.parse(found[0])
    variables = {variable: kind for kind, variable in (*_ARRAY.findall(source), *_STREAM.findall(source))}
    weights = {variable for _, variable in _LOAD.findall(source)}
    weights |= {path.stem for path in (firmware / "weights").glob("*.h")}
    structs = {found[1]: found[2] for found in _STRUCT.finditer(parameters)}
    tops = {variable: variables[variable] for variable in inputs if variable in variables}
    sites: list[LayerSite] = []
    for alias, target in _ALIAS.findall(source):
        variables[alias] = variables.get(target, "")
    written = {*tops, *(alias for alias, _ in _ALIAS.findall(source))}
    for call in _CALL.finditer(source):
        if call[1] in _NOT_LAYERS:
            continue
        site = _site(call, variables, weights, structs, written)
        sites.append(site)
    if not sites or len(tops) != len(inputs):
        raise L1emuError("not the text of a top function that hls4ml wrote", path=paths[2], where=name)
    _check_types(paths[0], sites, tops, types)
    twice = sorted({site.name for site in sites if [other.name for other in sites].count(site.name) > 1})
    if twice:
        raise L1emuError("two layers of one name", path=paths[2], value=twice[0])
    return ProjectText(name, defines, parameters, source, types, tops, tuple(sites))


def _site(
    call: re.Match[str], variables: dict[str, str], weights: set[str], structs: dict[str, str], written: set[str]
) -> LayerSite:
    arguments = [part.strip() for part in call[3].split(",")]
    data = [part for part in arguments if part in variables and part not in weights]
    inputs = [part for part in data if part in written]
    results = [part for part in data if part not in written]
    written.update(results)
    config = call[2].split(",")[-1].strip()
    own = tuple(n for n in structs if n == config or n.startswith(f"{config}_"))
    return LayerSite(
        call[4] or (results or inputs or [call[1]])[0],
        call[1],
        tuple(variables[part] for part in inputs),
        tuple(variables[part] for part in results),
        tuple(part for part in arguments if part in weights),
        own,
        {name: value.strip() for name, value in _MEMBER.findall(structs.get(config, ""))},
    )


def _check_types(path: Path, sites: list[LayerSite], inputs: dict[str, str], types: dict[str, FixedPoint]) -> None:
    for owner, names in [*((site.name, (*site.inputs, *site.results)) for site in sites), ("", tuple(inputs.values()))]:
        for name in names:
            if name not in types:
                where = f"layer {owner}" if owner else "input"
                raise L1emuError("not a fixed-point type of defines.h", path=path, where=where, value=name)


def typedefs(text: str) -> dict[str, str]:
    """What a text's typedefs stand for, by name."""
    return {name: kind for kind, name in _TYPEDEF.findall(text)}


def struct_body(text: str, name: str) -> re.Match[str] | None:
    """The struct of a name; group 2 is what is inside."""
    return next((found for found in _STRUCT.finditer(text) if found[1] == name), None)
