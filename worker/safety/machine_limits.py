"""The limits that the machine sets to this worker: descriptors, and tasks and memory of its control group."""

import contextlib
import resource
from pathlib import Path

from lanes.checks.worker_needs import MIB, WorkerNeeds

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def shortages(needs: WorkerNeeds) -> list[str]:
    """Return a line for each limit that is smaller than what this worker may need, if it can be read."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lines = []
    if files != resource.RLIM_INFINITY and files < needs.descriptors:
        lines.append(f"RLIMIT_NOFILE (LimitNOFILE, ulimits) is {files}, a process may need {needs.descriptors}")
    tasks, memory = _cgroup_limit("pids.max"), _cgroup_limit("memory.max")
    if tasks is not None and tasks < needs.tasks:
        lines.append(f"pids.max (pids, TasksMax) is {tasks}, the worker may need {needs.tasks}")
    if memory is not None and memory < needs.memory:
        lines.append(
            f"memory.max (memory, MemoryMax) is {memory // MIB} MiB, the worker may need {needs.memory // MIB} MiB"
        )
    return lines


def _cgroup_limit(name: str) -> int | None:
    """Return the smallest limit of this process' control group (version 2) and those around it, None without one."""
    limits = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        group = CGROUPS / OWN_CGROUP.read_text("utf-8").strip().split("::")[1].lstrip("/")
        for folder in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError):  # "max" is no limit
                limits.append(int((folder / name).read_text("utf-8")))
    return min(limits, default=None)
