"""Arrays on a real SLURM, whose tasks are really killed and cancelled."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
from pathlib import Path

import pytest

from l1emu.batch.engines import JobHint, job_hints
from l1emu.batch.engines.settings import SlurmSettings
from l1emu.batch.engines.slurm import SlurmEngine
from l1emu.errors import L1emuError
from tests.batch.engines.plans import attempts, job_of, made, wait_for


def waiting() -> str:
    return subprocess.run(["squeue", "-h", "-r", "-o", "%i %T %r"], capture_output=True, text=True).stdout


def done(folder: Path) -> bool:
    return not job_hints(folder)


def test_an_array_with_a_task_killed_and_one_cancelled_is_resumed(tmp_path: Path, real_slurm: Path) -> None:
    folder = tmp_path / "a plan 100% $HOME 'quoted'"
    engine = SlurmEngine(SlurmSettings(partition="batch", limit=4))
    engine.run(job_of(folder, 8, retries=1, s1=["waits"] * 2, s2=["waits"] * 2))
    wait_for(lambda: bool(attempts(folder, 1) and attempts(folder, 2)), "begin of shards 1 and 2")
    hints = {hint.shard: hint for hint in job_hints(folder)}
    assert hints[1].state == hints[2].state == "running"
    os.kill(attempts(folder, 1)[0]["pid"], signal.SIGKILL)
    wait_for(lambda: len(attempts(folder, 1)) == 2, "second attempt at shard 1")
    os.kill(attempts(folder, 1)[1]["pid"], signal.SIGKILL)
    subprocess.run(["scancel", hints[2].job], check=True)
    wait_for(lambda: done(folder), f"end of the array: {waiting()}")
    assert made(folder) == [0, 3, 4, 5, 6, 7]
    assert not Path(attempts(folder, 2)[0]["L1EMU_CACHE_DIR"]).exists()  # a job that is cancelled tidies up, too
    log = folder / "log" / f"slurm-{hints[1].job}.log"
    assert "shard 1: exit code 137, attempt 2 of 2" in log.read_text()

    (folder / "go").touch()
    engine.run(job_of(folder, [1, 2]))
    wait_for(lambda: done(folder), "end of the array")
    assert made(folder) == list(range(8))
    assert sorted(path.name for path in (folder / "slurm").iterdir()) == ["1", "2"]


def test_bad_input_is_not_tried_again_and_a_fault_is(tmp_path: Path, real_slurm: Path) -> None:
    SlurmEngine(SlurmSettings()).run(job_of(tmp_path, 2, retries=1, s0=["bad"], s1=["fault"]))
    wait_for(lambda: done(tmp_path), "end of the array")
    assert made(tmp_path) == [1]
    assert [len(attempts(tmp_path, number)) for number in (0, 1)] == [1, 2]


def test_a_task_has_a_folder_for_kernels_of_its_own_its_threads_and_the_setup(
    tmp_path: Path, real_slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = tmp_path / "node.sh"
    setup.write_text('set -eu\nexport SETUP="$(ls -d "$L1EMU_CACHE_DIR")"\nshard=17\n')
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    SlurmEngine(SlurmSettings(cpus=2, setup=str(setup))).run(job_of(tmp_path / "plan", [3]))
    wait_for(lambda: done(tmp_path / "plan"), "end of the array")
    (attempt,) = attempts(tmp_path / "plan", 3)
    assert Path(attempt["L1EMU_CACHE_DIR"]).parent == tmp_path
    assert attempt["SETUP"] == attempt["L1EMU_CACHE_DIR"]
    assert not Path(attempt["L1EMU_CACHE_DIR"]).exists()
    assert attempt["L1EMU_THREADS"] == attempt["OMP_NUM_THREADS"] == "2"


def test_a_setup_may_choose_a_folder_for_kernels_which_is_kept(tmp_path: Path, real_slurm: Path) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    setup = tmp_path / "node.sh"
    setup.write_text(f"export L1EMU_CACHE_DIR={kernels}\n")
    SlurmEngine(SlurmSettings(setup=str(setup))).run(job_of(tmp_path / "plan", 1))
    wait_for(lambda: done(tmp_path / "plan"), "end of the array")
    assert attempts(tmp_path / "plan", 0)[0]["L1EMU_CACHE_DIR"] == str(kernels)
    assert kernels.exists()


def test_more_shards_than_an_array_may_have_are_several_arrays(tmp_path: Path, real_slurm: Path) -> None:
    numbers = [*range(10, 18), 30]  # arrays of six, as the lab's SLURM is configured
    SlurmEngine(SlurmSettings(extra=("--hold",))).run(job_of(tmp_path, numbers))
    hints = job_hints(tmp_path)
    assert [hint.shard for hint in hints] == numbers
    assert {hint.state for hint in hints} == {"pending"}
    assert all(isinstance(hint, JobHint) and hint.engine == "slurm" for hint in hints)
    arrays = {hint.job.partition("_")[0] for hint in hints}
    assert len(arrays) == 2
    subprocess.run(["scontrol", "release", *arrays], check=True)
    wait_for(lambda: done(tmp_path), "end of the arrays")
    assert made(tmp_path) == numbers


def test_what_is_asked_for_reaches_slurm(tmp_path: Path, real_slurm: Path) -> None:
    job = dataclasses.replace(job_of(tmp_path, 1), memory_mb=123, seconds=61)
    SlurmEngine(SlurmSettings(extra=("--hold", "--comment=a b"))).run(job)
    (hint,) = job_hints(tmp_path)
    shown = subprocess.run(["scontrol", "show", "job", hint.job], capture_output=True, text=True).stdout
    for fact in (
        "TimeLimit=00:02:00",
        "MinMemoryNode=123M",
        "Requeue=1",
        f"JobName=l1emu-{tmp_path.name}",
        "Comment=a b",
    ):
        assert fact in shown
    subprocess.run(["scancel", hint.job], check=True)
    wait_for(lambda: done(tmp_path), "end of the job")
    SlurmEngine(SlurmSettings(memory_mb=45, minutes=7, cpus=2, extra=("--hold",))).run(job)
    (hint,) = job_hints(tmp_path)
    shown = subprocess.run(["scontrol", "show", "job", hint.job], capture_output=True, text=True).stdout
    for fact in ("TimeLimit=00:07:00", "MinMemoryNode=45M", "CPUs/Task=2"):
        assert fact in shown
    subprocess.run(["scancel", hint.job], check=True)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (SlurmSettings(partition="nowhere"), "sbatch: invalid partition specified: nowhere"),
        (SlurmSettings(extra=("--tiem=3",)), "sbatch: unrecognized option '--tiem=3'"),
        (SlurmSettings(memory_mb=1 << 29), "sbatch: Memory specification can not be satisfied"),
    ],
)
def test_what_sbatch_refuses_is_told_in_its_words(
    tmp_path: Path, real_slurm: Path, settings: SlurmSettings, line: str
) -> None:
    with pytest.raises(L1emuError) as refused:
        SlurmEngine(settings).run(job_of(tmp_path, 1))
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)
    assert job_hints(tmp_path) == ()


def test_a_machine_without_slurm_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(L1emuError, match=r"^no scontrol on this machine; expected one that submits"):
        SlurmEngine(SlurmSettings()).run(job_of(tmp_path, 1))
    assert job_hints(tmp_path) == ()


def test_a_controller_that_is_not_there_is_said(
    tmp_path: Path, real_slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "slurm.conf"
    lines = real_slurm.read_text().splitlines()
    lines = ["SlurmctldPort=1" if line.startswith("SlurmctldPort") else line for line in lines]
    gone.write_text("\n".join([*lines, "MessageTimeout=2", ""]))
    monkeypatch.setenv("SLURM_CONF", str(gone))
    with pytest.raises(L1emuError, match=r"^scontrol: .*[Uu]nable to contact slurm controller"):
        SlurmEngine(SlurmSettings()).run(job_of(tmp_path / "plan", 1))


def test_a_setup_that_is_no_script_is_refused_before_anything_is_submitted(tmp_path: Path, real_slurm: Path) -> None:
    setup = tmp_path / "node.sh"
    setup.write_text("module load python\nif true\n")
    with pytest.raises(L1emuError, match=r"node\.sh: no shell script: line 3: syntax error"):
        SlurmEngine(SlurmSettings(setup=str(setup))).run(job_of(tmp_path, 1))
    with pytest.raises(L1emuError, match=r"nowhere\.sh: no such file"):
        SlurmEngine(SlurmSettings(setup=str(tmp_path / "nowhere.sh"))).run(job_of(tmp_path, 1))
    assert job_hints(tmp_path) == ()
