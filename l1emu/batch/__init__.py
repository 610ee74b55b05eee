"""A study, or a recipe's sample, in parts on many machines: planned, made anywhere, merged to the bytes of one run.

The truth is files: a part is done when its file is there and whole. Engines that exist already (processes, Dask, SLURM,
HTCondor) run one command for each; nothing here schedules.

engines      who makes the shards: processes here, Dask's workers, the jobs of SLURM or of HTCondor
generation   the sample of a recipe in shards: planned, each made, put together in the end
grid         a grid of studies: one study with keys that take several values, in all combinations
identity     what a part of a study depends on, as plain data whose hash names the part
job          what an engine is given: which shards of a plan to make, by which command
merge        the end: the shards of each study added to its results
part_seals   seals of the parts of a recipe's sample, beside their files
plain        plain data: bytes that are equal for equal content, and where two differ
plan         the schema of a plan: which shards there are, and what went into each when it was planned
planning     making a plan: studies read and checked, their samples cut, each shard named
running      handing the missing shards to an engine, and remembering which one it was
shard_files  files of shards: a part of a study with a seal behind it
shards       making a shard of a plan
status       which shards are there
table        one table of the studies of a plan
unchanged    whether what was planned is what is there
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.batch.generation import MergedSample, merge_generation, plan_generation
    from l1emu.batch.merge import MergedBatch, merge_batch
    from l1emu.batch.plan import BatchPlan, GenerationPlan, read_plan
    from l1emu.batch.planning import plan_batch
    from l1emu.batch.running import resume_batch, run_batch, run_on
    from l1emu.batch.shards import MadeShard, make_shard
    from l1emu.batch.status import BatchStatus, read_status

__all__ = [
    "BatchPlan",
    "BatchStatus",
    "GenerationPlan",
    "MadeShard",
    "MergedBatch",
    "MergedSample",
    "make_shard",
    "merge_batch",
    "merge_generation",
    "plan_batch",
    "plan_generation",
    "read_plan",
    "read_status",
    "resume_batch",
    "run_batch",
    "run_on",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "generation": ("MergedSample", "merge_generation", "plan_generation"),
        "merge": ("MergedBatch", "merge_batch"),
        "plan": ("BatchPlan", "GenerationPlan", "read_plan"),
        "planning": ("plan_batch",),
        "running": ("resume_batch", "run_batch", "run_on"),
        "shards": ("MadeShard", "make_shard"),
        "status": ("BatchStatus", "read_status"),
    },
)
