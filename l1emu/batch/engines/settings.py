"""What a user may say to an engine: a YAML file, and single keys in its place."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.yamltext import compose, plain

_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][^\s\"']*$", max_length=200)]
"""A name of the batch system: a text without blanks that is no option."""
_Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]+$", max_length=1000)]
_Megabytes = Annotated[int, Field(ge=1, le=1 << 30)]
_Minutes = Annotated[int, Field(ge=1, le=1_000_000)]
_Count = Annotated[int, Field(ge=1, le=1024)]


class LocalSettings(Config):
    """Processes on this machine.

    Attributes
    ----------
    processes
        Shards at a time; by default one a core, and no more than memory is free for.
    """

    processes: _Count | None = None


class DaskSettings(Config):
    """Dask's workers.

    Attributes
    ----------
    scheduler
        Address of one that runs, as ``tcp://host:8786``; without it workers are started on this machine.
    workers
        How many are started here; by default as many as processes of `LocalSettings`.
    """

    scheduler: _Line | None = None
    workers: _Count | None = None


class _BatchSettings(Config):
    """What SLURM and HTCondor are both asked for.

    Attributes
    ----------
    memory_mb, minutes
        Of one shard, in the place of what was measured.
    cpus
        Cores of one shard, and its threads.
    setup
        File of shell lines that a node runs first: modules, a virtual environment, an LCG view, kernels.
    python
        The interpreter on a node, such as ``python3`` of what the setup loads; by default the one that submits.
    extra
        Further lines: options of sbatch, ``key = value`` of a submit description.
    """

    memory_mb: _Megabytes | None = None
    minutes: _Minutes | None = None
    cpus: _Count = 1
    setup: _Line | None = None
    python: _Line | None = None
    extra: tuple[_Line, ...] = ()


class SlurmSettings(_BatchSettings):
    """An array of SLURM.

    Attributes
    ----------
    partition, account, qos
        As sbatch takes them.
    limit
        The most shards at a time.
    """

    partition: _Word | None = None
    account: _Word | None = None
    qos: _Word | None = None
    limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class HTCondorSettings(_BatchSettings):
    """A cluster of HTCondor's jobs.

    Attributes
    ----------
    flavour
        CERN's ``JobFlavour``, such as ``longlunch``, in the place of ``MaxRuntime``.
    transfer
        Files to send along, for nodes that do not see this folder: the plan is sent, and shards come back. An empty
        list sends the plan alone. Without the key nodes read and write here.
    merge
        Folder of results: a DAG merges when every shard is made.
    """

    flavour: _Word | None = None
    transfer: tuple[_Line, ...] | None = None
    merge: _Line | None = None


_S = TypeVar("_S", bound=Config)


def read_settings(schema: type[_S], file: Path | None = None, assignments: Sequence[str] = ()) -> _S:
    """The settings of a file, with single keys put in their place.

    Parameters
    ----------
    schema
        Of the engine.
    file
        YAML. Paths in it are relative to its own folder.
    assignments
        ``key=value`` each, the value as in YAML. A list's key takes one value more each time that it stands here.

    Raises
    ------
    L1emuError
        for a file that is absent or damaged, a key that the engine does not know, and a wrong value.
    """
    data: dict[str, Any] = {}
    if file is not None:
        data = load_config(file, schema).model_dump(exclude_unset=True)
        base = file.absolute().parent
        for key in {"setup", "merge"} & data.keys():
            data[key] = None if data[key] is None else _beside(base, data[key])
        if data.get("transfer"):
            data["transfer"] = [_beside(base, name) for name in data["transfer"]]
    lists = {name for name, field in schema.model_fields.items() if "tuple" in str(field.annotation)}
    added: dict[str, list[Any]] = {}
    for text in assignments:
        key, sign, written = text.partition("=")
        if not sign or not key:
            raise L1emuError("not a setting", where="--set", value=text, expected="key=value")
        if any("\ud800" <= character <= "\udfff" for character in written):  # bytes that are no UTF-8
            raise L1emuError("wrong value", where=f"--set {key}", value=written, expected="UTF-8 text")
        if key not in schema.model_fields:
            known = ", ".join(schema.model_fields)
            raise L1emuError("this engine has no such setting", where="--set", value=key, expected=f"one of {known}")
        if key in lists:
            data[key] = added.setdefault(key, [])
            added[key] += [written] if written else []
        else:
            data[key] = _value(schema, key, written)
    try:
        return schema.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise _refusal(error.errors()[0]) from None


def _beside(base: Path, name: str) -> str:
    """A path that a file in the folder `base` names; what is no path but a URL stays."""
    return name if "://" in name else str(base / os.path.expanduser(name))


def _value(schema: type[Config], key: str, written: str) -> Any:
    """What a key is set to: the text itself where the schema wants one, else what YAML makes of it."""
    if "str" in str(schema.model_fields[key].annotation):
        return written
    try:
        return plain(compose(written))
    except L1emuError:
        raise L1emuError("wrong value", where=f"--set {key}", value=written) from None


def _refusal(error: Mapping[str, Any]) -> L1emuError:
    message = str(error["msg"]).removeprefix("Input should be ")
    return L1emuError("wrong value", where=f"--set {error['loc'][0]}", value=error["input"], expected=message)
