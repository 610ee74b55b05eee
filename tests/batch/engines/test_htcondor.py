"""Submit descriptions, expanded to job ads by HTCondor's own bindings; its daemons cannot be had here."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from l1emu.batch.engines.description import check_description, written
from l1emu.batch.engines.hints import job_hints
from l1emu.batch.engines.htcondor import HTCondorEngine, _hints_of
from l1emu.batch.engines.settings import HTCondorSettings
from l1emu.batch.job import BatchJob
from l1emu.errors import L1emuError
from tests.batch.engines.plans import STANDIN, attempts, job_of, made
from tests.batch.engines.standin import content

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that there is no configuration
    htcondor = pytest.importorskip("htcondor", reason="HTCondor's bindings are not installed")
classad = pytest.importorskip("classad")


def ads(folder: Path, name: str = "shards.sub", **macros: str) -> list[Any]:
    """The job ads of a description, as its cluster 1."""
    before = os.getcwd()
    os.chdir(folder)  # as condor_submit is run
    try:
        submit = htcondor.Submit((folder / name).read_text())
        submit.update(macros)
        return list(submit.jobs(clusterid=1))
    finally:
        os.chdir(before)


def text(ad: Any, key: str) -> str:
    return str(ad[key])


def test_every_shard_is_a_job_with_all_that_was_asked_for(tmp_path: Path) -> None:
    plan = tmp_path / "a plan $HOME 100%"
    job = dataclasses.replace(job_of(plan, [2, 5, 11], retries=4), memory_mb=1700, seconds=4000)
    folder = HTCondorEngine(HTCondorSettings(cpus=2, extra=("accounting_group = group_u_CMS", "+Wanted = true"))).write(
        job
    )
    found = ads(folder)
    mark = (folder / "mark").read_text()
    for ad, number in zip(found, (2, 5, 11), strict=True):
        assert ad["JobUniverse"] == 5
        assert ad["Cmd"] == str(folder / "job.sh")
        assert ad["Arguments"] == str(number)
        assert ad["Iwd"] == str(plan)
        assert ad["RequestCpus"] == 2
        assert ad["RequestMemory"] == 1700
        assert ad["MaxRuntime"] == 4000
        assert "JobFlavour" not in ad
        assert ad["JobMaxRetries"] == 4
        assert ad["ShouldTransferFiles"] == "IF_NEEDED"
        assert ad["TransferOutput"] == ""
        assert "TransferInput" not in ad
        assert (ad["L1emuShard"], ad["L1emuMark"]) == (number, mark)
        assert ad["Out"] == f"{plan}/log/shard-{number}.out"
        assert ad["Err"] == f"{plan}/log/shard-{number}.err"
        assert ad["UserLog"] == f"{plan}/log/htcondor.log"
        assert ad["JobBatchName"] == "l1emu-a_plan__HOME_100_"
        assert (ad["AcctGroup"], ad["Wanted"]) == ("group_u_CMS", True)


@pytest.mark.parametrize(
    ("code", "signal", "starts", "leaves"),
    [(0, None, 1, True), (2, None, 1, True), (70, None, 1, False), (137, None, 3, False), (1, None, 4, True),
     (None, 9, 1, False), (None, 9, 4, True)],
)  # fmt: skip
def test_what_fails_is_tried_again_but_bad_input_is_not(
    tmp_path: Path, code: int | None, signal: int | None, starts: int, leaves: bool
) -> None:
    (ad,) = ads(HTCondorEngine(HTCondorSettings()).write(job_of(tmp_path, 1, retries=3)))
    ended = classad.ClassAd(str(ad))
    ended["NumJobCompletions"] = starts
    ended["ExitBySignal"] = signal is not None
    ended["ExitCode" if code is not None else "ExitSignal"] = code if code is not None else signal
    assert ended.eval("OnExitRemove") is leaves
    assert ended.get("OnExitHold", False) in (False, None)


def test_nodes_that_do_not_see_the_plan_get_it_and_send_shards_back(tmp_path: Path) -> None:
    (tmp_path / "menu.yaml").write_text("menu")
    plan = tmp_path / "plan"
    job = job_of(plan, [3], s3=["made"])
    (plan / "plan.json").write_text("{}")
    settings = HTCondorSettings(
        transfer=(str(tmp_path / "menu.yaml"), "osdf:///cms/sample.root", str(plan / "ends.json")),
        flavour="longlunch",
        minutes=90,
        memory_mb=999,
    )
    folder = HTCondorEngine(settings).write(job)
    (ad,) = ads(folder)
    sent = f"plan.json,{tmp_path}/menu.yaml,osdf:///cms/sample.root,{plan}/ends.json"
    assert text(ad, "TransferInput").replace(" ", "") == sent
    assert ad["TransferOutput"] == "shards"
    assert ad["ShouldTransferFiles"] == "YES"
    assert ad["WhenToTransferOutput"] == "ON_SUCCESS"
    assert ad["JobFlavour"] == "longlunch"
    assert ad["RequestMemory"] == 999
    assert "MaxRuntime" not in ad

    scratch = tmp_path / "scratch"  # as a starter does: files in, the job, files back
    scratch.mkdir()
    for name in text(ad, "TransferInput").split(","):
        if "://" not in name:
            shutil.copy(plan / name.strip(), scratch)
    subprocess.run(
        [ad["Cmd"], *text(ad, "Arguments").split()],
        cwd=scratch,
        env={"PATH": os.environ["PATH"], "_CONDOR_SCRATCH_DIR": str(scratch)},
        check=True,
    )
    shutil.copytree(scratch / ad["TransferOutput"], plan / "shards")
    assert made(plan) == [3]
    (attempt,) = attempts(scratch, 3)
    assert Path(attempt["L1EMU_CACHE_DIR"]).parent == scratch
    assert not Path(attempt["L1EMU_CACHE_DIR"]).exists()


def test_a_dag_ends_with_the_merge(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    folder = HTCondorEngine(HTCondorSettings(merge=str(tmp_path / "results"))).write(job_of(plan, [0, 4]))
    lines = (folder / "study.dag").read_text().splitlines()
    assert lines == [
        "JOB shard-0 node.sub",
        'VARS shard-0 shard="0"',
        "JOB shard-4 node.sub",
        'VARS shard-4 shard="4"',
        "JOB merge merge.sub",
        "PARENT shard-0 CHILD merge",
        "PARENT shard-4 CHILD merge",
    ]
    (merge,) = ads(folder, "merge.sub")
    assert (merge["JobUniverse"], merge["Cmd"]) == (5, str(folder / "merge.sh"))
    for number in (0, 4):
        (ad,) = ads(folder, "node.sub", shard=str(number))
        assert (ad["Arguments"], ad["L1emuShard"]) == (str(number), number)
        assert ad["Err"] == f"{plan}/log/shard-{number}.err"
        subprocess.run([ad["Cmd"], ad["Arguments"]], check=True)
    subprocess.run([merge["Cmd"]], check=True)
    assert (tmp_path / "results").read_bytes() == content(0) + content(4)

    sent = HTCondorSettings(merge=str(tmp_path / "results"), transfer=())
    (local,) = ads(HTCondorEngine(sent).write(job_of(plan, [0])), "merge.sub")
    assert local["JobUniverse"] == 12


def test_a_script_gives_the_exit_code_of_its_shard(tmp_path: Path) -> None:
    folder = HTCondorEngine(HTCondorSettings()).write(job_of(tmp_path, 3, s0=["bad"], s1=["fault"], s2=["killed"]))
    codes = [subprocess.run([folder / "job.sh", str(n)], capture_output=True).returncode for n in range(3)]
    assert codes == [2, 70, 137]
    assert subprocess.run([folder / "job.sh"], capture_output=True).returncode == 2


def test_another_interpreter_runs_on_a_node(tmp_path: Path) -> None:
    settings = HTCondorSettings(python="python3", merge="results")
    folder = HTCondorEngine(settings).write(job_of(tmp_path, 1))
    assert f'python3 {STANDIN} shard {tmp_path} "$shard"' in (folder / "job.sh").read_text()
    assert f"python3 {STANDIN} merge {tmp_path} --output {Path.cwd()}/results" in (folder / "merge.sh").read_text()
    assert sys.executable not in (folder / "job.sh").read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "request_memry = 3000",
            "extra: no command of a submit description: got 'request_memry'; expected 'request_memory'",
        ),
        ("Max_Retires = 3", "extra: no command of a submit description: got 'Max_Retires'; expected 'max_retries'"),
        ("zzz = 3", "extra: no command of a submit description: got 'zzz'; expected a command of HTCondor's"),
        ("queue 3", "extra: no line of a submit description: got 'queue 3'; expected key = value"),
        ("request_disk =", "extra: no line of a submit description: got 'request_disk ='"),
        ("requirements == 3", "extra: no line of a submit description"),
        ("requirements = true \\", "extra: a line that another continues"),
    ],
)
def test_what_htcondor_would_miss_is_refused(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(L1emuError) as refused:
        HTCondorEngine(HTCondorSettings(extra=(line,))).write(job_of(tmp_path, 1))
    assert str(refused.value).startswith(said)
    assert not (tmp_path / "htcondor").exists()


def test_commands_in_any_case_and_attributes_of_any_name_are_taken() -> None:
    lines = ["Request_Disk = 2GB", "+Own = 3", 'my.Other="x"', "use_oauth_services = vault", "vault_oauth_options=x"]
    check_description(lines, "extra")


@pytest.mark.parametrize("name", ["a\nb", "\udcff", " a", "a\\", "a,b"])
def test_a_name_that_cannot_be_told_is_refused(name: str) -> None:
    with pytest.raises(L1emuError, match=r"^transfer: HTCondor cannot be told this name"):
        written(name, "transfer", listed=True)


def test_a_machine_without_htcondor_is_said_and_what_was_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for settings, name in ((HTCondorSettings(), "condor_submit"), (HTCondorSettings(merge="x"), "condor_submit_dag")):
        with pytest.raises(L1emuError, match=f"^no {name} on this machine"):
            HTCondorEngine(settings).run(job_of(tmp_path, 1))
    assert (tmp_path / "htcondor" / "1" / "shards.sub").exists()
    assert job_hints(tmp_path) == ()


def test_a_merge_of_an_unknown_command_is_refused(tmp_path: Path) -> None:
    job = BatchJob(tmp_path, (0,), ("make", "it"), 100, 60)
    with pytest.raises(L1emuError, match="nothing that merges is known for this command: got 'make it'"):
        HTCondorEngine(HTCondorSettings(merge="x")).write(job)


def test_what_condor_q_answers_is_a_hint() -> None:
    # as of condor_q -json; there is no schedd here to ask
    jobs = [{"ClusterId": 7, "ProcId": n, "JobStatus": status, "L1emuShard": 3 + n} for n, status in enumerate((5, 2))]
    assert list(_hints_of(json.dumps(jobs))) == [("7.0", 3, "held"), ("7.1", 4, "running")]
    for nothing in ("", "[]", "{", "[1]", '[{"ClusterId": 7}]'):
        assert list(_hints_of(nothing)) == []
