"""Runs one program and prints what it took, as JSON.

It is a process of its own because the kernel counts the memory of the process that starts a program into its peak:
started by compare.py, every program would seem as large as compare.py. `floor` is what this small process adds: a peak
that is not above it is not known.

usage: python3 -I -S spawner.py SPEC
SPEC is JSON: argv, env, and optionally stdin (a file that comes through a pipe), stdout (a file), and times.
"""

import json
import os
import sys
import time


def own_peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def run(spec):
    actions = []
    feeder = None
    ends = []
    if "stdin" in spec:
        read, write = os.pipe()
        ends = [read, write]
        feeder = os.posix_spawn(
            "/bin/cat",
            ["cat", spec["stdin"]],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read), (os.POSIX_SPAWN_CLOSE, write)],
        )
        actions += [(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_CLOSE, read), (os.POSIX_SPAWN_CLOSE, write)]
    else:
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
    into = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions.append((os.POSIX_SPAWN_OPEN, 1, spec.get("stdout", os.devnull), into, 0o600))
    actions.append((os.POSIX_SPAWN_OPEN, 2, spec.get("stderr", os.devnull), into, 0o600))
    begun = time.perf_counter()
    pid = os.posix_spawnp(spec["argv"][0], spec["argv"], spec["env"], file_actions=actions)
    for end in ends:
        os.close(end)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    if feeder is not None:
        os.waitpid(feeder, 0)
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
        "code": os.waitstatus_to_exitcode(status),
    }


def main():
    spec = json.loads(sys.argv[1])
    floor = own_peak() * 1024
    runs = [run(spec) for _ in range(spec.get("times", 1))]
    print(json.dumps({"floor": floor, "runs": runs}))


if __name__ == "__main__":
    main()
