"""Who makes the shards of a plan: processes here, Dask's workers, the jobs of SLURM or of HTCondor.

Each runs one command for each shard that is missing and knows nothing else of it. What was made is seen from the files.

attempts     one shard, made by its command in a process of its own: tried again where that may help, and what it said
dask         shards on the workers of a Dask cluster, here or elsewhere
description  submit descriptions of HTCondor: their commands, which it does not check, and what it makes of a text
executors    shards by whatever takes a function and items: a Dask client, an executor of Python's or of coffea's kind
hints        what batch systems say of a plan's jobs
htcondor     shards as the jobs of a cluster of HTCondor, or the nodes of a DAG that ends with the merge
local        shards in processes on this machine
opening      an engine by its name
script       the shell script that a node runs for a shard
settings     what a user may say to an engine: a YAML file, and single keys in its place
slurm        shards as the tasks of an array of SLURM
submissions  what is submitted to a batch system: a folder for each time in the plan's, and the commands that do it
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.batch.engines.executors import run_job_on
    from l1emu.batch.engines.hints import JobHint, job_hints
    from l1emu.batch.engines.opening import Engine, open_engine

__all__ = ["Engine", "JobHint", "job_hints", "open_engine", "run_job_on"]

__getattr__, __dir__ = lazily(
    __name__,
    {"executors": ("run_job_on",), "hints": ("JobHint", "job_hints"), "opening": ("Engine", "open_engine")},
)
