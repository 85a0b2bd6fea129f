#!/usr/bin/env python3
"""Measures kubectl jobclean beside the raw limit, kubectl, an HTTP/2 load tool and the original, on one API server.

It brings up a control plane of its own on loopback and takes it down again. Python's standard library is enough; the
original gets a virtual environment of its own, and the section `delete` needs h2load (Debian: nghttp2-client).

With --write the figures go to benches/results.json, and from there into the READMEs and benches/scale.svg; sections
that were not measured keep what they had.
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from side_by_side import plot, report, sections


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"what to measure: {', '.join(sections.SECTIONS)}; all if none is named",
    )
    parser.add_argument("--write", action="store_true", help="write results.json, README.md and scale.svg")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing; write README.md and scale.svg from results.json"
    )
    parser.add_argument("--jobs", type=int, default=50_000, help="Jobs to plan (default 50,000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts (default 5)")
    parser.add_argument(
        "--applications", type=int, default=1_000, help="Applications of Argo CD to read (default 1,000)"
    )
    parser.add_argument(
        "--kubectl-rounds", type=int, default=5, help="rounds at most for kubectl, which takes long (default 5)"
    )
    parser.add_argument(
        "--original-rounds", type=int, default=1, help="rounds for the original, which takes longer (default 1)"
    )
    parser.add_argument(
        "--original-groups",
        type=int,
        default=100,
        help="groups that the original reads; the rest is multiplied (default 100)",
    )
    parser.add_argument("--deletes", type=int, default=20_000, help="Jobs to delete in a round (default 20,000)")
    parser.add_argument(
        "--pace",
        type=lambda text: [int(size) for size in text.split(",")],
        default=[100, 2_400, 20_000],
        help="numbers of Jobs to delete in pairs; the middle one over slow lines as well",
    )
    parser.add_argument(
        "--large", type=int, default=200_000, help="Jobs of a very large cluster (default 200,000; a million takes 20 GB)"
    )
    parser.add_argument("--large-rounds", type=int, default=2, help="rounds of that (default 2)")
    parser.add_argument("--gone", type=int, default=20_000, help="Jobs until which are gone is timed (default 20,000)")
    parser.add_argument("--gone-rounds", type=int, default=3, help="rounds of that (default 3)")
    parser.add_argument(
        "--collected",
        type=int,
        default=500,
        help="the same where the garbage collector or the client takes its time (default 500)",
    )
    parser.add_argument(
        "--kubectl-deletes", type=int, default=200, help="Jobs that kubectl deletes in a round (default 200)"
    )
    parser.add_argument(
        "--original-deletes",
        type=int,
        default=4_000,
        help="Jobs of which the original deletes all but the newest (default 4,000)",
    )
    parser.add_argument("--concurrency", type=int, default=32, help="deletes in flight (default 32)")
    parser.add_argument("--starts", type=int, default=20, help="starts to time (default 20)")
    parser.add_argument("--file-jobs", type=int, default=1_000_000, help="Jobs in the file (default 1,000,000)")
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        default=[1_000, 10_000, 50_000, 100_000],
        help="numbers of Jobs for the plot",
    )
    parser.add_argument("--tool", type=Path, help="measure this kubectl-jobclean instead of a release build")
    parser.add_argument("--controlplane", type=Path, help="use this program instead of a release build")
    told = parser.parse_args()
    unknown = [name for name in told.sections if name not in sections.SECTIONS]
    if unknown:
        parser.error(f"there is no section {unknown[0]}")
    told.sections = [name for name in sections.SECTIONS if not told.sections or name in told.sections]
    return told


def say(text):
    print(text, file=sys.stderr, flush=True)


def output(*argv):
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=HERE).stdout.strip()
    except OSError:
        return ""


def machine():
    """The processor, cores, memory and kernel."""
    processor = platform.processor() or platform.machine()
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        processor = found.group(1) if found else processor
    except OSError:
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores of {processor}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def versions(bench, result):
    pinned = (HERE.parent / "tests/controlplane/go.mod").read_text()
    kubernetes = re.search(r"k8s\.io/kubernetes (v\S+)", pinned)
    h2load = output("h2load", "--version").replace("h2load ", "") if "concurrency" in result else None
    size = f"{bench.tool.stat().st_size / 2**20:.2f} MiB"
    # The commit of a binary that was built elsewhere is not known.
    commit = "" if bench.told.tool else f"{bench.told.commit}, "
    return {
        "kubectl-jobclean": f"{output(bench.tool, '--version').split()[-1]} ({commit}{size})",
        "rustc": output("rustc", "--version").split()[1],
        "Kubernetes": kubernetes.group(1) if kubernetes else None,
        "mas-devops": result.get("original"),
        "h2load": h2load,
    }


def measure(told):
    """The figures of the sections that are wanted, printed as they come."""
    results = {}
    with tempfile.TemporaryDirectory(prefix="jobclean-compare-") as folder:
        bench = sections.Bench(told, folder, say)
        try:
            for name in told.sections:
                say(f"== {name}: {sections.SECTIONS[name].__doc__.splitlines()[0]}")
                result = sections.SECTIONS[name](bench)
                entry = {
                    "date": datetime.date.today().isoformat(),
                    "machine": machine(),
                    "versions": versions(bench, result),
                    "result": result,
                }
                results[name] = entry
                print(f"## {name}\n\n{report.SECTIONS[name](result)}\n\n{report.machine(entry)}\n", flush=True)
                if told.write:
                    write(results)
        finally:
            bench.plane.close()
    if "plan" in results or "delete" in results:
        print(report.blocks(results)["headline"])


def write(results):
    """Adds these to what is kept, and fills the README from all of it."""
    kept = HERE / "results.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    known.update(results)
    kept.write_text(json.dumps(known, indent=1) + "\n")
    blocks = report.blocks(known)
    readme = HERE / "README.md"
    readme.write_text(report.fill(readme.read_text(), blocks))
    front = HERE.parent / "README.md"
    front.write_text(report.fill(front.read_text(), {"headline": report.last_row(blocks["headline"])}))
    if "scale" in known:
        (HERE / "scale.svg").write_text(plot.svg(known["scale"]["result"]))


def main():
    told = arguments()
    # Before anything is written: the figures are those of the sources as they are now.
    told.commit = output("git", "describe", "--always", "--dirty")
    if told.render:
        write({})
    else:
        measure(told)


if __name__ == "__main__":
    try:
        main()
    except sections.measure.Failed as why:
        raise SystemExit(f"error: {why}")
