"""The figure of what is assigned to types: every row, its bars and its shares, of any names and numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from l1emu.report.ranges import draw_ranges, save_ranges
from l1emu.report.style import COLOURS, STYLE


def row(layer: str = "dense", **changes: Any) -> dict[str, Any]:
    return {
        "layer": layer, "kind": "dense", "what": "result", "type": "ap_fixed<8,3>", "type_lowest": -4.0,
        "type_highest": 3.96875, "type_step": 0.03125, "values": 100, "overflow": 20, "overflow_mode": "WRAP",
        "rounded": 50, "to_zero": 10, "zeros": 0, "lowest": -7.0, "highest": 7.0, "integer_bits": 4,
        "octaves": [[-8, 10, 0, 10], [0, 60, 0, 0], [2, 30, 20, 0]],
    } | changes  # fmt: skip


def document(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"firmware": "a_$x^{_", "content_hash": "0", "jets": 5, "rows": list(rows)}


def test_bars_are_the_counts() -> None:
    ax, shares = draw_ranges(document(row())).axes
    bars = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_width() == 1 and p.get_height() > 0]
    drawn = {(p.get_x(), to_hex(p.get_facecolor())): round(p.get_height() / 0.84 * 60) for p in bars}
    blue, orange, red = COLOURS[0], COLOURS[1], COLOURS[2]
    assert drawn == {(-8, orange): 10, (0, blue): 60, (2, red): 20, (2, blue): 10}
    assert [text.get_text() for text in shares.texts] == ["20 %", "50 %", "10 %", "overflow", "rounded", "to zero"]
    (band,) = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_height() == 0.92]
    assert (band.get_x(), band.get_x() + band.get_width()) == (-5, 2)


@pytest.mark.parametrize(
    "rows",
    [
        [row(octaves=None, lowest=None, highest=None)],
        [row(octaves=[], values=0)],
        [row(type_step=None, type_lowest=None, type_highest=None, type="3 types")],
        [row("_under$score^{" * 20, octaves=[[900, 1, 1, 0], [-1000, 1, 0, 1]])],
        [row(overflow=None, rounded=None, to_zero=None)],
        [row(f"layer{i}", overflow=i) for i in range(400)],
        [row(kind="reshape"), row()],
    ],
    ids=["proven", "nothing", "several", "far", "weights", "many", "reshape"],
)
def test_anything_is_drawn(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    save_ranges(document(*rows), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"ranges{dark}.{kind}" for dark in ("", "-dark") for kind in ("png", "pdf")
    }
    with mpl.rc_context(STYLE):
        labels = [text.get_text() for text in draw_ranges(document(*rows)).axes[0].get_yticklabels()]
    assert len(labels) == min(150, sum(r["kind"] != "reshape" for r in rows))
    if len(rows) > 150:  # those that lose most
        assert labels[-1].startswith("layer399 ")


def test_a_share_is_never_written_as_another() -> None:
    texts = draw_ranges(document(row(values=1_000_000, overflow=999_999, rounded=1, to_zero=0))).axes[1].texts
    assert [text.get_text() for text in texts[:3]] == ["> 99 %", "0.0001 %", "0"]
