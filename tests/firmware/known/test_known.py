"""The data of the known definitions: each has tokens, a meaning and an origin; hls4ml's headers find theirs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from l1emu.firmware.known import Known, find, headers, of_header, of_name, split_origin
from l1emu.firmware.known.__main__ import read
from l1emu.firmware.known.tokens import kept_tokens
from tests.handmade_projects import hls4ml_templates

ALL = [known for header in headers() for entries in of_header(header).values() for known in entries.values()]


def test_each_definition_has_a_meaning_an_origin_and_tokens() -> None:
    _, tokens = kept_tokens()
    assert len({(known.name, known.fingerprint) for known in ALL}) == len(ALL) > 500
    for known in ALL:
        assert re.fullmatch(r"[0-9a-f]{16}", known.fingerprint)
        assert known.meaning.endswith(".") and known.origins, known
        assert tokens[known.name, known.fingerprint], known
        for begin in re.findall(r"\b[0-9a-f]{8}\b", known.meaning):
            assert any(other.startswith(begin) for other in of_name(known.name)), known
    assert set(tokens) == {(known.name, known.fingerprint) for known in ALL}


def test_no_code_of_hls4ml_is_kept() -> None:
    """C++ has braces, brackets and scopes; the data have sentences and hashes."""
    assert not [known for known in ALL if re.search(r"[{}\[\]]|::|->|\w\(\w+,", known.meaning)]
    lines, _ = kept_tokens()
    assert all(re.fullmatch(r"([A-Za-z0-9_-]{3})+", line) for line in lines)


def test_those_of_the_installed_hls4ml_are_known_with_their_version() -> None:
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    found = [one for one in read(hls4ml_templates()) if of_name(one.name)]
    assert len(found) > 200
    for one in found:
        assert one.known is not None, one.name
        versions = {version for origin in one.known.origins for version in split_origin(origin)[1]}
        assert hls4ml.__version__ in versions, one.name


def test_a_definition_is_found_whatever_header_it_moved_to() -> None:
    known = find("relu", "81efadac1408b803", "nnet_activation")
    assert known is not None and known.variant == ""
    assert find("relu", "81efadac1408b803", "nnet_elsewhere") is known
    assert find("relu", "0" * 16, "nnet_activation") is None and find("relux", "81efadac1408b803", "nnet_other") is None


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        (("hls4ml 0.7.0 0.7.1 1.3.0", "hls4ml Vitis 0.6.0"), "hls4ml 0.7.0 to 1.3.0"),
        (("hls4ml Vitis 1.0.0",), "hls4ml Vitis 1.0.0"),
        (("hls4ml pull request #1110",), "hls4ml pull request #1110"),
    ],
)
def test_origin_in_short(origins: tuple[str, ...], expected: str) -> None:
    assert Known("relu", "0" * 16, "", origins).origin == expected


def test_the_command_line_does_not_load_them() -> None:
    code = "import sys, l1emu.cli; print([name for name in sys.modules if name.startswith('l1emu.firmware.known')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
