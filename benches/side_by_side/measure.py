"""Time, CPU and memory of programs that are run, and of the API server while they run."""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SPAWNER = Path(__file__).with_name("spawner.py")
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A program that was measured did not do what it should; its figures would mean nothing."""


def run(argv, env=None, times=1, codes=(0,), **spec):
    """Runs a program `times` times and returns a list of its wall, cpu (seconds), peak (bytes) and code."""
    with open(os.devnull) as nothing:
        errors = spec.setdefault("stderr", f"{tempfile.gettempdir()}/jobclean-compare-{os.getpid()}.err")
        told = json.dumps(
            {"argv": [str(part) for part in argv], "env": env or dict(os.environ), "times": times, **spec}
        )
        out = subprocess.run(
            [sys.executable, "-I", "-S", SPAWNER, told], stdin=nothing, stdout=subprocess.PIPE, check=True
        )
    answer = json.loads(out.stdout)
    said = Path(errors).read_text(errors="replace").strip() if Path(errors).exists() else ""
    Path(errors).unlink(missing_ok=True)
    for one in answer["runs"]:
        if one["code"] not in codes:
            raise Failed(f"{' '.join(map(str, argv))}: exit code {one['code']}\n{said}")
        # What is not above the floor is not known; the floor itself is then the honest figure.
        one["peak"] = max(one["peak"], answer["floor"])
        one["stderr"] = said
    return answer["runs"]


def once(argv, **spec):
    """The same, once."""
    return run(argv, **spec)[0]


def cpu_of(pid):
    """CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid):
    """Bytes of memory that a process has now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s*(\d+) kB", status, re.MULTILINE).group(1)) * 1024


def median(values):
    """The median of what there is; None if there is nothing."""
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


class Series:
    """Figures of several rounds, by name, in the order in which the names came."""

    def __init__(self):
        self.rounds = {}

    def add(self, name, **figures):
        for figure, value in figures.items():
            self.rounds.setdefault(name, {}).setdefault(figure, []).append(value)

    def names(self):
        return list(self.rounds)

    def of(self, name, figure):
        return median(self.rounds.get(name, {}).get(figure, []))

    def count(self, name):
        return max((len(values) for values in self.rounds.get(name, {}).values()), default=0)


def interleaved(rounds, contenders, say):
    """Runs every contender once in each round, so that what else the machine does hits all of them alike.

    A contender is (name, function, most rounds); the function returns its figures.
    """
    series = Series()
    for number in range(1, rounds + 1):
        for name, contender, most in contenders:
            if number > most:
                continue
            figures = contender()
            series.add(name, **figures)
            shown = "  ".join(
                f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()
            )
            say(f"  {number}/{rounds} {name}: {shown}")
    return series
