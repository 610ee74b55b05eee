"""Generated quantizers: a type for each number, as hls4ml writes them for HGQ models."""

from __future__ import annotations

import re

import numpy as np

from l1emu.errors import L1emuError
from l1emu.firmware.builders.call import Call
from l1emu.firmware.cxx.lexer import Place
from l1emu.firmware.cxx.parser import statements
from l1emu.firmware.kernels import defined_name
from l1emu.firmware.project import Project
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Quantize

_HEAD = re.compile(r"template<typenameinput_t,typenameoutput_t>void\w+\(input_t\*inp,output_t\*out\)\{(.*)\}")
_ASSIGNED = re.compile(r"out\[(\d+)\]=(?:(ap_u?(?:fixed|int)<[\w,-]+>)\(inp\[(\d+)\]\)|0);")


def is_quantizer(project: Project, function: str) -> bool:
    """Whether the project's generated code defines a function of this name as a quantizer."""
    return _body(project, function) is not None


def _body(project: Project, function: str) -> str | None:
    lexed = project.headers.get("nnet_code_gen.h")
    if lexed is None:
        return None
    for statement in statements(lexed.tokens, lexed.path):
        if defined_name(statement, Place(lexed.path, statement[0].line)) == function:
            found = _HEAD.fullmatch("".join(token.text for token in statement))
            return found[1] if found else None
    return None


def quantize(call: Call) -> Quantize:
    """A generated quantizer: ``out[i] = ap_fixed<...>(inp[i]);`` for each number."""
    call.count(2, 2)
    output = call.output(call.tensor(call.results[0], None).shape)
    data = call.input(0, output.shape)
    body = _body(call.project, call.function) or ""
    found = list(_ASSIGNED.finditer(body))
    if "".join(match[0] for match in found) != body:
        raise call.error("the generated quantizer does something that is not known here", body[:100])
    kinds: dict[FixedPoint, int] = {}
    which = np.full(output.size, -2, dtype=np.int64)
    for match in found:
        place = int(match[1])
        if place >= output.size or (match[3] is not None and match[3] != match[1]):
            raise call.error("the generated quantizer moves numbers", match[0])
        which[place] = -1
        if match[2] is not None:
            try:
                kind = FixedPoint.parse(match[2])
            except L1emuError as error:
                raise call.error(error.message, match[2], error.expected) from None
            if not kind.fits_int64:
                raise call.error("types beyond 64 bits are not supported", match[2])
            which[place] = kinds.setdefault(kind, len(kinds))
    if (which == -2).any():
        raise call.error("the generated quantizer leaves out numbers", int((which == -2).sum()))
    return Quantize(call.name, (data,), output, tuple(kinds), which)
