"""A real SLURM on this machine: own folder, own ports, own munge, next to whatever else runs there.

It needs root (munged's key and slurmd's jobs are another user's else), Debian's slurmctld, slurmd, slurm-client and
munge, and a hostname that resolves, without which slurmctld does not start.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from l1emu.children import bound

PROGRAMS = ("munged", "munge", "unmunge", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
_NODES, _SLOTS = 2, 2
_BOUND_S = 60.0  # so that what does not start fails, and does not hang

_CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# a job that is requeued waits until its credential has expired: two minutes, unless it says otherwise
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
# nothing of systemd or control groups, which a container lacks
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0,sched_min_interval=0
SwitchType=switch/none
MpiDefault=none
PropagateResourceLimits=NONE
ReturnToService=2
JobRequeue=1
KillWait=2
MinJobAge=600
MaxArraySize=6
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 \\
Port=[{ports[1]}-{ports[2]}] CPUs={slots} RealMemory={memory}
PartitionName=batch Nodes=n[1-{nodes}] Default=YES MaxTime=01:00:00 DefaultTime=00:10:00 DefMemPerCPU=100 State=UP
"""


def why_not() -> str | None:
    """Why there can be no SLURM here; None if there can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian's slurmctld, slurmd, slurm-client, munge)"
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    try:
        socket.getaddrinfo(_host(), None)
    except OSError:
        return f"the hostname {_host()} does not resolve, and slurmctld would not start"
    return None


@contextmanager
def slurm() -> Iterator[Path]:
    """Two nodes of two slots; gives the path of slurm.conf, for SLURM_CONF."""
    folder = Path(tempfile.mkdtemp(prefix="l1emu-slurm-"))
    folder.chmod(0o755)  # the socket of munge must be reachable
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("state", "log", "munge", *(f"spool-n{n + 1}" for n in range(_NODES))):
            (folder / name).mkdir(mode=0o755)
        _start_munge(folder, stack)
        conf = folder / "slurm.conf"
        ports = _free_ports()
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1 << 20) * 9 // 10 // _NODES
        conf.write_text(
            _CONF.format(host=_host(), folder=folder, ports=ports, nodes=_NODES, slots=_SLOTS, memory=memory)
        )
        environment = os.environ | {"SLURM_CONF": str(conf)}
        _daemon(["slurmctld", "-D", "-c", "-i"], folder, stack, environment)
        for node in (f"n{n + 1}" for n in range(_NODES)):
            _daemon(["slurmd", "-D", "-N", node], folder, stack, environment)
        stack.callback(_cancel_all, environment)
        until = time.monotonic() + _BOUND_S
        while _said(["sinfo", "-h", "-N", "-o", "%T"], environment).split() != ["idle"] * _NODES:
            assert time.monotonic() < until, _logs(folder)
            time.sleep(0.1)
        yield conf


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _start_munge(folder: Path, stack: ExitStack) -> None:
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)  # the daemon refuses a key that others may read
    options = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    command = ["munged", "--foreground", "--num-threads=1"]
    _daemon([*command, *(f"--{option}={folder}/munge/{name}" for option, name in options.items())], folder, stack, {})
    socket_there = folder / "munge" / "socket"
    until = time.monotonic() + _BOUND_S
    while not socket_there.exists():
        assert time.monotonic() < until, _logs(folder)
        time.sleep(0.05)


def _daemon(command: list[str], folder: Path, stack: ExitStack, environment: dict[str, str]) -> None:
    """Start a program that ends with the stack, and with this process, however that ends."""
    with open(folder / "log" / command[0], "ab") as log:
        program = shutil.which(command[0])
        assert program is not None
        process = subprocess.Popen(
            bound([program, *command[1:]]), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace")[-2000:] for path in (folder / "log").iterdir())


def _cancel_all(environment: dict[str, str]) -> None:
    """No job may outlive its daemons."""
    _said(["scancel", "--full", "-u", "root"], environment)
    for _ in range(100):
        if not _said(["squeue", "-h"], environment).strip():
            return
        time.sleep(0.1)


def _said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_BOUND_S).stdout


def _free_ports() -> list[int]:
    """Of slurmctld, and two that follow one another, of the nodes."""
    for port in range(26817, 32000, 3):
        with ExitStack() as stack:
            try:
                for one in (port, port + 1, port + 2):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", one))
            except OSError:
                continue
            return [port, port + 1, port + 2]
    raise AssertionError("no free ports")
