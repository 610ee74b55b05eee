"""Who makes the shards of a plan: processes here, Dask's workers, the jobs of SLURM or of HTCondor.

Each runs one command for each shard that is missing and knows nothing else of it. What was made is seen from the files.

attempts   one shard, made by its command in a process of its own: tried again where that may help, and what it said
dask       shards on the workers of a Dask cluster, here or elsewhere
executors  shards by whatever takes a function and items: a Dask client, an executor of Python's, one like coffea's
local      shards in processes on this machine
settings   what a user may say to an engine: a YAML file, and single keys in its place
"""
