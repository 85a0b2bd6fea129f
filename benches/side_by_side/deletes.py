"""Deletes by kubectl jobclean and by a load tool, of the very same Jobs: those that a plan would purge."""

import json
import re

from . import measure

# What h2load asks for, so that its answers are as small as ours.
SMALL = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class Deletes:
    """About this many deletes in each round. All requests carry the same bearer token."""

    def __init__(self, bench, token, deletes, url=None, with_pods=False, concurrency=None):
        self.bench = bench
        self.token = token
        # Some stay: one of each group of twenty, and the one in a hundred that still runs.
        self.jobs = max(40, -(-deletes * 100 // 93))
        self.url = url or bench.plane.url
        self.with_pods = with_pods
        self.concurrency = concurrency or bench.told.concurrency

    def planned(self):
        """Writes the Jobs anew. Returns what a plan would purge of them."""
        self.bench.plane.seed(self.jobs, self.with_pods)
        document = self.bench.folder / "plan.json"
        argv = self.bench.argv("--dry-run=client", "-o", "json", url=self.url)
        measure.once(argv, env=self.bench.env, stdout=str(document))
        groups = json.loads(document.read_text())["groups"]
        return [
            (group["namespace"], job["name"]) for group in groups for job in group["jobs"] if job["verdict"] == "PURGE"
        ]

    def purge(self, cascade, *form):
        """The command of a purge of ours."""
        flags = ["--yes", f"--cascade={cascade}", "--concurrency", str(self.concurrency), *form]
        return self.bench.argv(*flags, url=self.url)

    def ours(self):
        """A purge in the background. The rate is that of the deletes, as the run itself says it at its end, and as h2load
        does."""
        purge = self.planned()
        out = self.bench.folder / "log.json"
        argv = self.purge("background", "--log-format=json")
        one = self.bench.with_server(lambda: measure.once(argv, env=self.bench.env, stdout=str(out)))
        end = json.loads(out.read_text().splitlines()[-1])
        if end["outcomes"].get("deleted") != len(purge):
            raise measure.Failed(f"of {len(purge)} Jobs: {end}")
        return {
            "rate": len(purge) / end["seconds"],
            "rate_with_plan": len(purge) / one["wall"],
            "deleted": len(purge),
            "wall": one["wall"],
            "cpu": one["cpu"],
            "peak": one["peak"],
            "server": one["server"],
        }

    def load_tool(self):
        """h2load on the Jobs of a plan."""
        return self.load(self.planned())

    def load(self, purge):
        """h2load on these, in the background."""
        uris = self.bench.folder / "uris"
        place = f"{self.url}/apis/batch/v1/namespaces"
        uris.write_text(
            "".join(f"{place}/{namespace}/jobs/{name}?propagationPolicy=Background\n" for namespace, name in purge)
        )
        headers = [":method: DELETE", f"authorization: Bearer {self.token}", f"accept: {SMALL}"]
        # More connections would each begin with the same Jobs.
        argv = ["h2load", "-n", len(purge), "-c", 1, "-m", self.concurrency, "-t", 1, "-i", uris]
        argv += [part for header in headers for part in ("-H", header)]
        out = self.bench.folder / "h2load.out"
        argv = [str(part) for part in argv]
        one = self.bench.with_server(lambda: measure.once(argv, env=self.bench.env, stdout=str(out)))
        said = out.read_text()
        counts = re.search(r"status codes: (\d+) 2xx", said)
        finished = re.search(r"finished in ([\d.]+)(us|ms|s|m)\b", said)
        if counts is None or finished is None or int(counts.group(1)) != len(purge):
            raise measure.Failed(f"h2load did not delete {len(purge)} Jobs:\n{said}")
        took = float(finished.group(1)) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[finished.group(2)]
        return {
            "rate": len(purge) / took,
            "deleted": len(purge),
            "wall": one["wall"],
            "cpu": one["cpu"],
            "peak": one["peak"],
            "server": one["server"],
        }
