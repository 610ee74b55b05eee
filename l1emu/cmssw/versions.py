"""Whether a function of CMS's is the one that was compared: by the hash of its tokens, those of macros left out.

`python -m l1emu.cmssw.versions FILE FUNCTION...` prints the hashes of functions, for the author of a stage.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text, sha256_bytes

_HASHED = 16  # hexadecimal digits that are kept
_TOKEN = re.compile(
    r"""(?P<left>//[^\n]*|/\*.*?\*/|[ \t\r\n\f\v]+|\#[^\n]*)  # comments, blanks, lines of the preprocessor
      | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | [A-Za-z_]\w* | \.?\d[\w.]* | . """,
    re.DOTALL | re.VERBOSE,
)
_OPENING, _CLOSING = "({[", ")}]"


def _tokens(text: str) -> list[str]:
    return [found.group() for found in _TOKEN.finditer(text) if found.group("left") is None]


def _matching(tokens: list[str], start: int) -> int:
    """The place of the bracket that closes the one at `start`; the end if there is none."""
    depth = 0
    for place in range(start, len(tokens)):
        if tokens[place] in _OPENING:
            depth += 1
        elif tokens[place] in _CLOSING:
            depth -= 1
            if depth == 0:
                return place
    return len(tokens) - 1


def _definitions(tokens: list[str], name: list[str]) -> Iterator[list[str]]:
    """The definitions of a function, from its return type to its closing brace."""
    for place in range(len(tokens) - len(name)):
        if tokens[place : place + len(name)] != name or tokens[place + len(name)] != "(":
            continue
        if place and tokens[place - 1] in ("::", ":", ".", "~") and name[0] != "~":
            continue  # another's member of the same name
        after = _matching(tokens, place + len(name)) + 1
        begun = after
        while after < len(tokens) and tokens[after] not in "{;":
            if tokens[after] == "(":
                after = _matching(tokens, after)
            elif tokens[after] == "," or tokens[after] in _CLOSING:
                if ":" not in tokens[begun:after]:  # an argument of a call; commas also part initializers
                    break
            after += 1
        if after < len(tokens) and tokens[after] == "{":
            start = place
            while start and tokens[start - 1] not in ";{}" and tokens[start - 1] != "public":
                start -= 1
            yield tokens[start : _matching(tokens, after) + 1]


def function_hash(text: str, function: str) -> str | None:
    """The hash of all definitions of a function in C++, such as `L1SCJetEmu::inCone`; None without one.

    Its return type, arguments and body count, comments and blanks do not.
    """
    found = [" ".join(part) for part in _definitions(_tokens(text), _tokens(function))]
    return sha256_bytes("\n".join(found).encode())[:_HASHED] if found else None


def none_of(path: Path, functions: Iterable[str]) -> bool:
    """Whether a file has no definition of any of these functions, or is no text at all."""
    try:
        text = read_text(path)
    except L1emuError:
        return True
    return all(function_hash(text, function) is None for function in functions)


def other_versions(source: Path, functions: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """File and name of the functions below `source` that are not those that were compared, or are not there."""
    return [
        (file, function)
        for file, known in functions.items()
        for function, expected in known.items()
        if function_hash(read_text(source / file), function) != expected
    ]


def main(arguments: list[str]) -> None:
    """Print the hashes of functions of a file.

    Raises
    ------
    L1emuError
        if there is no such file, or a function is not in it.
    """
    path, *functions = arguments
    text = read_text(path)
    for function in functions:
        found = function_hash(text, function)
        if found is None:
            raise L1emuError("no definition of this function", path=path, value=function)
        print(f'"{function}": "{found}",')


if __name__ == "__main__":
    main(sys.argv[1:])
