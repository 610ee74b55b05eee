"""Batch systems that are really there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch.engines.slurm_lab import slurm, why_not


@pytest.fixture(scope="session")
def slurm_conf() -> Iterator[Path]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with slurm() as conf:
        yield conf


@pytest.fixture
def real_slurm(slurm_conf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SLURM of two nodes with two slots each, to which SLURM's commands speak."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_conf))
    return slurm_conf
