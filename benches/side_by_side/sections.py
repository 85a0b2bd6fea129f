"""What is measured. Each section brings up what it needs and returns its figures."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

from . import measure
from . import plane as planes
from .deletes import Deletes
from .plane import LABEL

# Few Jobs, so that what is read for GitOps tools shows, and as many resources as a large Application has.
GITOPS_JOBS = 2_000
GITOPS_RESOURCES = 100
# A list that has not come by then, in seconds, is given up.
LARGE_LIMIT = 180

JOBS = "/apis/batch/v1/jobs"
PODS = "/api/v1/pods"

FORMS = ["table", "wide", "summary", "tsv", "json", "yaml"]


class Bench:
    """What the sections share."""

    def __init__(self, told, folder, say):
        self.told = told
        self.folder = Path(folder)
        self.say = say
        say("the release binaries")
        self.tool = told.tool or planes.binary("kubectl-jobclean")
        self.controlplane = told.controlplane or planes.binary("controlplane")
        self.plane = planes.Plane(self.controlplane, folder)
        # The environment of the user must not change what is measured.
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBERC": "off"}
        self._venv = None

    def argv(self, *arguments, url=None, by=("-L", LABEL)):
        server = ["-s", url] if url else []
        return [self.tool, "--kubeconfig", self.plane.kubeconfig, *server, "-A", *by, *arguments]

    def up(self, jobs):
        self.say(f"control plane with {jobs:,} Jobs")
        self.plane.up(jobs)

    def with_server(self, work):
        """The figures of some work, and the CPU that the server spent on it."""
        self.plane.collect_memory()
        time.sleep(0.5)
        before = measure.cpu_of(self.plane.server_pid)
        figures = work()
        return {**figures, "server": measure.cpu_of(self.plane.server_pid) - before}

    def ours(self, *arguments, codes=(0,), **where):
        out = str(self.folder / "ours.out")
        one = measure.once(self.argv(*arguments, **where), env=self.env, stdout=out, codes=codes)
        return {key: one[key] for key in ("wall", "cpu", "peak")}

    def raw(self, encoding, **options):
        figures = planes.read(self.plane, encoding, **options)
        return {"wall": figures["wall"], "bytes": figures["bytes"], "pages": figures["pages"]}

    def kubectl(self, *arguments):
        argv = [self.plane.kubectl, "--kubeconfig", self.plane.kubeconfig, *arguments]
        one = measure.once(argv, env=self.env, stdout=str(self.folder / "kubectl.out"))
        return {key: one[key] for key in ("wall", "cpu", "peak")}

    def original(self, *arguments):
        """The original's figures, from its own process."""
        if self._venv is None:
            self._venv = self._make_venv()
        script = Path(__file__).with_name("original.py")
        done = subprocess.run(
            [self._venv, script, *arguments], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            raise measure.Failed(f"the original: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def _make_venv(self):
        folder = self.folder / "venv"
        self.say("installing the original (PyPI: mas-devops)")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = folder / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "mas-devops"], check=True)
        return python

    def original_version(self):
        if self._venv is None:
            return None
        out = subprocess.run([self._venv, "-m", "pip", "show", "mas-devops"], capture_output=True, text=True).stdout
        return re.search(r"^Version: (.*)$", out, re.MULTILINE).group(1)


def table_of(series):
    """Medians, by contender."""
    return {
        name: {**{figure: series.of(name, figure) for figure in series.rounds[name]}, "rounds": series.count(name)}
        for name in series.names()
    }


def raw_read(bench, connections=1):
    """A contender that reads all pages over so many connections."""
    name = "raw protobuf" if connections == 1 else f"raw protobuf, {connections} connections"
    return name, lambda: bench.with_server(lambda: bench.raw("pb", connections=connections)), bench.told.rounds


def our_plan(bench, form, *more, **where):
    """A contender that plans and prints."""
    argv = ["--dry-run=client", "-o", form, *more]
    name = " ".join(["ours", form, *more, *where.get("by", ())])
    return name, lambda: bench.with_server(lambda: bench.ours(*argv, **where)), bench.told.rounds


def plan(bench):
    """List, plan and render, beside the raw read, kubectl and the original."""
    told = bench.told
    bench.up(told.jobs)
    contenders = [
        raw_read(bench),
        ("raw JSON", lambda: bench.with_server(lambda: bench.raw("json")), told.rounds),
        *(raw_read(bench, count) for count in (2, 4, 8)),
        ("raw protobuf, metadata only", lambda: bench.with_server(lambda: bench.raw("metadata")), told.rounds),
        *(our_plan(bench, form) for form in FORMS),
        our_plan(bench, "summary", by=["--group-by", "application"]),
    ]
    kubectl = min(told.rounds, told.kubectl_rounds)
    contenders += [
        ("kubectl get", lambda: bench.with_server(lambda: bench.kubectl("get", "jobs", "-A", "-l", LABEL)), kubectl),
        (
            "kubectl get -o json",
            lambda: bench.with_server(lambda: bench.kubectl("get", "jobs", "-A", "-l", LABEL, "-o", "json")),
            kubectl,
        ),
    ]
    sample = [LABEL, str(bench.plane.server_pid), str(told.original_groups)]
    contenders.append(
        ("original", lambda: bench.original("plan", bench.plane.kubeconfig, *sample), told.original_rounds)
    )
    figures = table_of(measure.interleaved(told.rounds, contenders, bench.say))
    return {"jobs": told.jobs, "figures": figures, "original": bench.original_version()}


@contextlib.contextmanager
def a_core_each(server_pid):
    """The API server has one core, and what is started here another."""
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        raise measure.Failed("a core for the server and one for the client are two")
    of_server, of_client = sorted(cores)[:2]
    # Threads that start later have the core of the thread that starts them.
    for thread in Path(f"/proc/{server_pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {of_server})
    os.sched_setaffinity(0, {of_client})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def cores(bench):
    """List and plan where the API server and the client have a core each."""
    told = bench.told
    bench.up(told.jobs)
    contenders = [
        *(raw_read(bench, count) for count in (1, 2, 4, 8)),
        our_plan(bench, "tsv"),
        # As the raw reads are, which ask for no compression.
        *(our_plan(bench, form, "--disable-compression") for form in ("tsv", "summary", "table")),
    ]
    with a_core_each(bench.plane.server_pid):
        figures = table_of(measure.interleaved(told.rounds, contenders, bench.say))
    return {"jobs": told.jobs, "figures": figures}


@contextlib.contextmanager
def proxy(bench, *flags):
    """A slow line to the server: its address."""
    port = urllib.parse.urlsplit(bench.plane.url).port
    script = Path(__file__).with_name("proxy.py")
    with subprocess.Popen(
        [sys.executable, script, str(port), *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"https://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def large(bench):
    """Very many Jobs in many namespaces, with the right to list Namespaces and without it."""
    told = bench.told
    bench.up(0)
    bench.say(f"{told.large:,} Jobs")
    groups = str(told.large // 20)
    bench.plane.tell("seed", "--jobs", str(told.large), "--groups", groups, "--namespaces", "200")
    bench.plane.wait_until_counted(JOBS, told.large)
    bench.plane.let_list_jobs_alone("lister")

    def ours(*arguments):
        argv = ["timeout", str(LARGE_LIMIT), *bench.argv("--dry-run=client", "--gitops=ignore", *arguments)]
        out = str(bench.folder / "large.out")
        one = measure.once(argv, env=bench.env, stdout=out, codes=(0, 124))
        came = {key: one[key] for key in ("wall", "cpu", "peak")} if one["code"] == 0 else {"given_up": LARGE_LIMIT}
        # Its cache and what it has thrown away: the garbage collector's setting counts for much.
        return {**came, "memory": measure.memory_of(bench.plane.server_pid)}

    contenders = {
        "in parts": [],
        "in parts, --chunk-size=5000": ["--chunk-size=5000"],
        "page by page, --chunk-size=5000": ["--as=lister", "--chunk-size=5000"],
        "page by page": ["--as=lister"],
    }
    # The first list after so much was written takes twice as long.
    ours("-o", "summary")
    runs = [
        (name, lambda more=more: bench.with_server(lambda: ours("-o", "summary", *more)), told.large_rounds)
        for name, more in contenders.items()
    ]
    series = measure.interleaved(told.large_rounds, runs, bench.say)
    settings = {name: os.environ[name] for name in ("GOGC", "GOMEMLIMIT") if name in os.environ}
    return {"jobs": told.large, "figures": table_of(series), "settings": settings}


def line(bench):
    """The same over slow lines, with and without compression."""
    told = bench.told
    bench.up(told.jobs)
    plain = ["--dry-run=client", "-o", "table"]
    lines = {}
    for name, flags in {
        "loopback": None,
        "20 ms more for each request": ["--delay-ms", "20"],
        "100 Mbit/s": ["--mbit", "100"],
    }.items():
        bench.say(name)
        with proxy(bench, *flags) if flags else contextlib.nullcontext(bench.plane.url) as url:
            contenders = [
                ("raw protobuf", lambda: bench.raw("pb", url=url), told.rounds),
                ("raw protobuf, gzip", lambda: bench.raw("pb", url=url, gzip=True), told.rounds),
                ("ours", lambda: bench.ours(*plain, url=url), told.rounds),
                (
                    "ours --disable-compression",
                    lambda: bench.ours(*plain, "--disable-compression", url=url),
                    told.rounds,
                ),
                (
                    "ours --disable-compression=false",
                    lambda: bench.ours(*plain, "--disable-compression=false", url=url),
                    told.rounds,
                ),
            ]
            lines[name] = table_of(measure.interleaved(told.rounds, contenders, bench.say))
    return {"jobs": told.jobs, "lines": lines}


def delete(bench):
    """Deletes beside an HTTP/2 load tool, kubectl and the original, all on Jobs of the same shape."""
    told = bench.told
    need_h2load()
    bench.up(0)
    deletes = Deletes(bench, bench.plane.with_token(), told.deletes)

    def kubectl():
        bench.plane.seed(deletes.jobs)
        listed = bench.plane.kube("get", "jobs", "-n", "team-000", "-o", "name").split()[: told.kubectl_deletes]
        one = bench.kubectl("delete", "-n", "team-000", "--cascade=background", *listed)
        return {"rate": len(listed) / one["wall"], "deleted": len(listed), "cpu": one["cpu"], "peak": one["peak"]}

    def original():
        # Foreground deletion, which is all it knows, leaves the Jobs to a collector that does not run here: it is the
        # requests that are timed.
        bench.plane.up(told.original_deletes)
        bench.plane.with_token()
        figures = bench.original("delete", bench.plane.kubeconfig, LABEL)
        return {
            "rate": figures["deleted"] / figures["delete_wall"],
            "deleted": figures["deleted"],
            "peak": figures["peak"],
        }

    contenders = [
        ("ours", deletes.ours, told.rounds),
        ("h2load", deletes.load_tool, told.rounds),
        ("kubectl", kubectl, min(told.rounds, told.kubectl_rounds)),
    ]
    series = measure.interleaved(told.rounds, contenders, bench.say)
    last = measure.interleaved(told.original_rounds, [("original", original, told.original_rounds)], bench.say)
    figures = {**table_of(series), **table_of(last)}
    return {"concurrency": told.concurrency, "figures": figures, "original": bench.original_version()}


# A level of priority and fairness for the user that measures, of about ten seats, and no borrowing of others.
SEATS = """
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: ten-seats}
spec:
  type: Limited
  limited: {nominalConcurrencyShares: 1, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: {type: Queue, queuing: {queues: 16, handSize: 4, queueLengthLimit: 50}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: ten-seats}
spec:
  matchingPrecedence: 2
  priorityLevelConfiguration: {name: ten-seats}
  distinguisherMethod: {type: ByUser}
  rules:
  - subjects: [{kind: ServiceAccount, serviceAccount: {namespace: default, name: load}}]
    resourceRules: [{apiGroups: [batch], resources: [jobs], verbs: ["*"], namespaces: ["*"], clusterScope: true}]
"""


def pace(bench):
    """Deletes beside an HTTP/2 load tool in pairs: by their number, over slow lines, and at a server that holds back."""
    told = bench.told
    need_h2load()
    lines = {}

    def pairs(name, number, flags=None, manifest=None, concurrency=None):
        # Afresh, since the uids of another number of Jobs are those of other names.
        bench.up(0)
        token = bench.plane.with_token()
        if manifest:
            path = bench.folder / "manifest.yaml"
            path.write_text(manifest)
            bench.plane.kube("apply", "-f", str(path))
            time.sleep(2)
        bench.say(f"{name}, {number:,} Jobs")
        with proxy(bench, *flags) if flags else contextlib.nullcontext(bench.plane.url) as url:
            compare(name, Deletes(bench, token, number, url, concurrency=concurrency), number)

    def compare(name, deletes, number):
        # A short run is measured more often.
        rounds = told.rounds * (3 if number < 1_000 else 1)
        contenders = [("ours", deletes.ours, rounds), ("h2load", deletes.load_tool, rounds)]
        lines.setdefault(name, {})[str(number)] = table_of(measure.interleaved(rounds, contenders, bench.say))

    for number in told.pace:
        pairs("loopback", number)
    middle = told.pace[len(told.pace) // 2]
    pairs("20 ms more for each request", middle, flags=["--delay-ms", "20"])
    pairs("20 ms more, 128 in flight", middle, flags=["--delay-ms", "20"], concurrency=128)
    pairs("200 Mbit/s", middle, flags=["--mbit", "200"])
    pairs("10 seats", middle, manifest=SEATS)
    return {"concurrency": told.concurrency, "lines": lines}


def gone(bench):
    """How long until the Jobs are gone, of deletes in the background, with the controllers at their default pace."""
    need_h2load()
    contenders = {
        "ours auto": purge_of_ours("auto"),
        "ours background": purge_of_ours("background"),
        "h2load": Deletes.load,
    }
    return until_gone(bench, bench.told.gone, bench.told.gone_rounds, contenders)


def collector(bench):
    """The same where the garbage collector or the client takes its time: foreground, kubectl, the original."""

    def kubectl(_, purge):
        for namespace in sorted({namespace for namespace, _ in purge}):
            names = [f"job/{name}" for place, name in purge if place == namespace]
            bench.kubectl("delete", "-n", namespace, "--cascade=foreground", *names)

    contenders = {
        "ours auto": purge_of_ours("auto"),
        "ours foreground": purge_of_ours("foreground"),
        "kubectl": kubectl,
        "original": lambda *_: bench.original("delete", bench.plane.kubeconfig, LABEL),
    }
    found = until_gone(bench, bench.told.collected, 1, contenders, wait_for_pods=True)
    return {**found, "original": bench.original_version()}


def purge_of_ours(cascade):
    def run(deletes, _):
        bench = deletes.bench
        measure.once(deletes.purge(cascade, "-o", "summary"), env=bench.env, stdout=str(bench.folder / "report.txt"))

    return run


def until_gone(bench, number, rounds, contenders, wait_for_pods=False):
    """Seconds until the command ends, until the Jobs are gone, and until the Pods are.

    A contender is called with the Deletes and with what a plan would purge.
    """
    tables = {}

    def timed(deletes, work):
        purge = deletes.planned()
        jobs = bench.plane.count(JOBS) - len(purge)
        pods = bench.plane.count(PODS) - len(purge)
        # The collector has to know them all.
        time.sleep(10)
        begun = time.perf_counter()
        work(deletes, purge)
        figures = {"deleted": len(purge), "command": time.perf_counter() - begun}
        bench.plane.wait_for(JOBS, jobs)
        figures["jobs"] = time.perf_counter() - begun
        if wait_for_pods and deletes.with_pods:
            bench.plane.wait_for(PODS, pods)
            figures["pods"] = time.perf_counter() - begun
        return figures

    def afresh(work, with_pods):
        # The collector may still be at what the last one left to it.
        bench.plane.up(0, controllers=True)
        # What is written while its watches begin may be hidden from them.
        bench.plane.wait_for_collector()
        return timed(Deletes(bench, bench.plane.with_token(), number, with_pods=with_pods), work)

    for name, with_pods in {"none": False, "one each": True}.items():
        bench.say(f"Pods: {name}")
        runs = [
            (contender, lambda work=work: afresh(work, with_pods), rounds) for contender, work in contenders.items()
        ]
        tables[name] = table_of(measure.interleaved(rounds, runs, bench.say))
    return {"concurrency": bench.told.concurrency, "tables": tables}


def need_h2load():
    if shutil.which("h2load") is None:
        raise SystemExit("error: h2load is missing; on Debian: apt-get install nghttp2-client")


def startup(bench):
    """How soon it is there, and how soon its first request is."""
    bench.up(0)
    times = bench.told.starts
    version = measure.run([bench.tool, "--version"], env=bench.env, times=times)
    figures = {"--version": {"wall": measure.median(one["wall"] for one in version), "rounds": times}}

    def first(scheme, url_of):
        """From just before exec to the connection, and to its first bytes: those of the request, or of TLS."""
        series = measure.Series()
        for _ in range(times):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                url = url_of(listener.getsockname()[1])
                argv = [str(part) for part in bench.argv("--dry-run=client", url=url)]
                quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
                begun = time.perf_counter()
                pid = os.posix_spawn(argv[0], argv, bench.env, file_actions=quiet)
                try:
                    listener.settimeout(10)
                    client, _ = listener.accept()
                    accepted = time.perf_counter() - begun
                    client.recv(1)
                    came = time.perf_counter() - begun
                    client.close()
                finally:
                    os.kill(pid, 9)
                    os.waitpid(pid, 0)
            series.add(scheme, accepted=accepted, wall=came)
        return table_of(series)

    figures.update(first("to the first request (HTTP)", lambda port: f"http://127.0.0.1:{port}"))
    figures.update(first("to the first bytes of TLS", lambda port: f"https://127.0.0.1:{port}"))
    for name, row in figures.items():
        bench.say(f"  {name}: {row['wall'] * 1000:.2f} ms")
    return {"figures": figures}


def jobs_file(bench, jobs):
    """A file of this many Jobs, as kubectl prints them though on one line."""
    path = bench.folder / f"jobs-{jobs}.json"
    if not path.exists():
        bench.say(f"writing a file of {jobs:,} Jobs")
        with open(path, "wb") as file:
            subprocess.run([bench.controlplane, "print", "--jobs", str(jobs)], stdout=file, check=True)
    return path


def from_file(bench, jobs, form):
    path = jobs_file(bench, jobs)
    argv = [bench.tool, "-f", "-", "-A", "-L", LABEL, "-o", form]
    one = measure.once(argv, env=bench.env, stdin=str(path), stdout=str(bench.folder / "ours.out"))
    size = path.stat().st_size
    return {"wall": one["wall"], "cpu": one["cpu"], "peak": one["peak"], "bytes": size, "rate": size / one["wall"]}


def file(bench):
    """A plan from standard input, a pipe."""
    told = bench.told
    contenders = [
        (form, lambda form=form: from_file(bench, told.file_jobs, form), told.rounds) for form in ("summary", "tsv")
    ]
    return {"jobs": told.file_jobs, "figures": table_of(measure.interleaved(told.rounds, contenders, bench.say))}


def gitops(bench):
    """What git still wants: Applications of a hundred resources each, beside the raw read of the same pages."""
    told = bench.told
    bench.up(GITOPS_JOBS)
    bench.say(f"{told.applications:,} Applications")
    planes.write_applications(bench.plane, told.applications, GITOPS_RESOURCES)
    pages = {"size": 50, "path": f"{planes.APPLICATIONS}/applications"}
    plain = ["--dry-run=client", "-o", "summary"]
    contenders = [
        ("raw JSON", lambda: bench.with_server(lambda: bench.raw("json", **pages)), told.rounds),
        ("ours", lambda: bench.with_server(lambda: bench.ours(*plain)), told.rounds),
        (
            "ours --gitops=ignore",
            lambda: bench.with_server(lambda: bench.ours(*plain, "--gitops=ignore")),
            told.rounds,
        ),
    ]
    figures = table_of(measure.interleaved(told.rounds, contenders, bench.say))
    return {"jobs": GITOPS_JOBS, "applications": told.applications, "figures": figures}


def scale(bench):
    """Time and memory against the number of Jobs, for every form of output."""
    told = bench.told
    sizes = {}
    for jobs in told.sizes:
        bench.up(jobs)
        contenders = [("raw protobuf", lambda: bench.raw("pb"), told.rounds)]
        contenders += [
            (f"ours {form}", lambda form=form: bench.ours("--dry-run=client", "-o", form), told.rounds)
            for form in FORMS
        ]
        contenders.append(
            (
                "kubectl get",
                lambda: bench.kubectl("get", "jobs", "-A", "-l", LABEL),
                min(told.rounds, told.kubectl_rounds),
            )
        )
        sizes[str(jobs)] = table_of(measure.interleaved(told.rounds, contenders, bench.say))
    bench.plane.down()
    rounds = min(told.rounds, 3)
    contenders = [(form, lambda form=form: from_file(bench, told.file_jobs, form), rounds) for form in FORMS]
    files = {str(told.file_jobs): table_of(measure.interleaved(rounds, contenders, bench.say))}
    return {"sizes": sizes, "files": files}


SECTIONS = {
    "startup": startup,
    "plan": plan,
    "cores": cores,
    "large": large,
    "line": line,
    "gitops": gitops,
    "delete": delete,
    "pace": pace,
    "gone": gone,
    "collector": collector,
    "file": file,
    "scale": scale,
}
