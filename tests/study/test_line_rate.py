"""The stream at line rate: every jet goes through the tagger, the seed decides with the scores, the stream takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.study.config import read_study
from l1emu.study.line_rate import CrossingsAtLineRate


@pytest.fixture(scope="module")
def chain() -> CrossingsAtLineRate:
    return CrossingsAtLineRate(read_study(), "portable", 400)


def test_batches_do_not_matter_and_decisions_are_those_of_the_background(chain: CrossingsAtLineRate) -> None:
    found = [chain.run(2, batch=batch) for batch in (1, 2)]
    assert {one.result.digest for one in found} == {found[0].result.digest}
    assert found[0].differing == 0
    assert found[0].jets == found[0].result.jets["found"] > 10 * found[0].result.colliding // 4
    assert found[0].result.triggered == found[1].result.triggered
    assert set(found[0].seconds) == {"drawing crossings", "tagger", "seed", "stream", "all"}


def test_accepts_are_those_of_the_scores(chain: CrossingsAtLineRate, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a b jet's score for every jet other crossings are accepted, and that is told."""
    real = chain._emulated

    def all_b(rows: Any) -> Any:
        given = real(rows)
        best = np.argmax(chain._tagger.scores_of(given, {})["tag_b"])
        return {name: np.repeat(array[best : best + 1], len(rows), axis=0) for name, array in given.items()}

    before = chain.run(1).result.triggered
    monkeypatch.setattr(chain, "_emulated", all_b)
    after = chain.run(1)
    assert after.differing > 0
    assert after.result.triggered == before + after.differing
    monkeypatch.undo()
    assert chain.run(1).result.triggered == before


def test_a_study_without_a_stream_is_refused(tmp_path: Path) -> None:
    text = read_study().path.read_text()
    (tmp_path / "study.yaml").write_text(text[: text.index("stream:")])
    with pytest.raises(L1emuError, match="no study of a stream at line rate"):
        CrossingsAtLineRate(read_study(tmp_path / "study.yaml"), "portable", 10)
