"""A study in parts on many machines: planned, made anywhere, merged to the bytes of one run.

The truth is files: a part is done when its file is there and whole. Engines that exist already (processes, Dask, SLURM,
HTCondor) run one command for each; nothing here schedules.

engines  who makes the shards: processes here, Dask's workers, the jobs of SLURM or of HTCondor
job      what an engine is given: which shards of a plan to make, by which command
"""
