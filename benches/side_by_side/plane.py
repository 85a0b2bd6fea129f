"""The control plane that is measured: `cargo controlplane up --empty`, and what of it the measurements need."""

import base64
import http.client
import json
import os
import re
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LABEL = "argocd.argoproj.io/instance"
PROTOBUF = "application/vnd.kubernetes.protobuf"


def cargo(*arguments, **options):
    """Runs cargo on this repository."""
    return subprocess.run(["cargo", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, check=True, **options)


def binary(package):
    """Builds a release binary and tells where it is."""
    out = cargo(
        "build",
        "--release",
        "--locked",
        "--package",
        package,
        "--bins",
        "--message-format=json-render-diagnostics",
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in out.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == package:
            return Path(message["executable"])
    raise SystemExit(f"error: cargo does not say where {package} is")


class Plane:
    """A control plane of its own, without controllers: they would do work of their own, and watch all Jobs.

    `cargo controlplane` has one place for each user. The one here is elsewhere, so that neither gets in the other's way.
    """

    def __init__(self, program, folder):
        self.program = program
        self.folder = Path(folder)
        own = Path(folder) / "cache"
        shared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubectl-jobclean"
        (own / "kubectl-jobclean").mkdir(parents=True, exist_ok=True)
        shared.mkdir(parents=True, exist_ok=True)
        # Its binaries take minutes to build, so all control planes share them.
        for built in shared.glob("controlplane-*"):
            link = own / "kubectl-jobclean" / built.name
            if not link.exists():
                link.symlink_to(built)
        self.env = {**os.environ, "XDG_CACHE_HOME": str(own)}
        self.standing = False
        # However this script ends, its end of the pipe is closed then, and what it left standing is taken down.
        self.guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; exec "$0" down', program],
            env=self.env,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self):
        """Takes it down for good."""
        self.down()
        self.guard.stdin.close()
        self.guard.wait()

    def tell(self, *arguments):
        done = subprocess.run(
            [self.program, *arguments], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"error: controlplane {' '.join(arguments)}:\n{done.stderr.strip()}")
        return done

    def up(self, jobs, controllers=False):
        """Starts it afresh, with this many Jobs; controllers work at the pace that they have by default."""
        self.down()
        self.standing = True
        done = self.tell("up", "--empty", "--default-pace" if controllers else "--no-controllers")
        self.kubeconfig = re.search(r"export KUBECONFIG='(.*)'", done.stdout).group(1)
        self.kubectl = str(Path(re.search(r"kubectl is in (.*)", done.stderr).group(1)) / "kubectl")
        config = json.loads(Path(self.kubeconfig).read_text())
        self.url = config["clusters"][0]["cluster"]["server"]
        self.ca = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        user = config["users"][0]["user"]
        pem = base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(pem)
            file.flush()
            self.tls = ssl.create_default_context(cadata=self.ca)
            self.tls.load_cert_chain(file.name)
        self.server_pid = self._find_server()
        if jobs:
            self.seed(jobs)

    def _find_server(self):
        port = f"--secure-port={urllib.parse.urlsplit(self.url).port}"
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            # The guard that watches over it has the same words, after its own.
            if port in words and words[0].endswith("kube-apiserver"):
                return int(entry.name)
        raise SystemExit("error: there is no kube-apiserver to measure")

    def seed(self, jobs, with_pods=False):
        """Writes this many Jobs; those that are there already are replaced."""
        self.tell("seed", "--jobs", str(jobs), *(["--with-pods"] if with_pods else []))
        # The server's cache takes in what was written: not while something is measured.
        read(self, "pb")
        time.sleep(1)

    def down(self):
        if self.standing:
            self.tell("down")
            self.standing = False

    def connection(self, url=None):
        """A connection to it, or to what stands before it at a URL."""
        place = urllib.parse.urlsplit(url or self.url)
        return http.client.HTTPSConnection(place.hostname, place.port, context=self.tls)

    def get(self, query):
        """What it answers to one request, over a connection of its own."""
        connection = self.connection()
        connection.request("GET", query, headers={"Accept": "application/json", "User-Agent": "raw"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"error: the server answers {answer.status}: {body[:300]!r}")
        return body

    def count(self, path):
        """How many objects there are."""
        body = json.loads(self.get(f"{path}?limit=1"))
        return len(body["items"]) + body["metadata"].get("remainingItemCount", 0)

    def collect_memory(self):
        """Has kube-apiserver collect its unused memory, so that what is measured next does not pay for what was before."""
        self.get("/debug/pprof/heap?gc=1")

    def wait_until_counted(self, path, count, most=600):
        """Waits until the server's cache has taken in what was written."""
        deadline = time.monotonic() + most
        while self.count(path) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"error: the server does not count {count:,} objects within {most} s")
            time.sleep(1)

    def let_list_jobs_alone(self, user):
        """A user who may list Jobs in every namespace, and nothing else."""
        for what in (
            ["clusterrole", user, "--verb=list", "--resource=jobs.batch"],
            ["clusterrolebinding", user, f"--clusterrole={user}", f"--user={user}"],
        ):
            self.kube("create", *what)

    def wait_for(self, path, count, most=7200):
        """Until there are no more than this many objects."""
        end = time.perf_counter() + most
        while (left := self.count(path)) > count:
            if time.perf_counter() > end:
                raise SystemExit(f"error: {left} of {path} are left, and should be {count}")
            time.sleep(0.1 if left - count < 1_000 else 0.5)

    def wait_for_collector(self, most=120):
        """Until the garbage collector watches everything."""
        end = time.perf_counter() + most
        logs = Path(self.env["XDG_CACHE_HOME"]).glob("kubectl-jobclean/up/*/log/kube-controller-manager.log")
        (log,) = logs
        while "Proceeding to collect garbage" not in log.read_text():
            if time.perf_counter() > end:
                raise SystemExit("error: the garbage collector does not begin")
            time.sleep(0.5)
        time.sleep(2)

    def kube(self, *arguments):
        """What kubectl prints."""
        done = subprocess.run(
            [self.kubectl, "--kubeconfig", self.kubeconfig, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"error: kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def with_token(self):
        """From now on all requests carry the same bearer token, which is returned and may do everything.

        A load tool cannot use client certificates, and the server checks those anew for each request.
        """
        self.kube("create", "serviceaccount", "load", "-n", "default")
        self.kube(
            "create", "clusterrolebinding", "load", "--clusterrole=cluster-admin", "--serviceaccount=default:load"
        )
        token = self.kube("create", "token", "load", "-n", "default", "--duration=12h").strip()
        config = json.loads(Path(self.kubeconfig).read_text())
        config["users"][0]["user"] = {"token": token}
        self.kubeconfig = str(self.folder / "token.json")
        Path(self.kubeconfig).write_text(json.dumps(config))
        return token


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def field(data, at, end, wanted):
    """Where a message's field of this number stands, if it is text, bytes or a message."""
    while at < end:
        key, at = varint(data, at)
        length, after = varint(data, at)
        if key & 7 == 0:
            at = after
            continue
        if key >> 3 == wanted:
            return after, after + length
        at = after + length
    return None


def next_token(body, encoding):
    """The token of the page after this one; it stands in the beginning of either encoding, and at the end of a list of
    custom resources."""
    if encoding == "json":
        found = re.search(rb'"continue":"([^"]+)"', body[:4000] + b" " + body[-4000:])
        return found.group(1).decode() if found else ""
    return of_list_meta(body, 3)


def of_list_meta(body, number):
    """The text in this field of a list's metadata, in protobuf; 2 is the resourceVersion."""
    raw = field(body, 4, len(body), 2)
    meta = raw and field(body, *raw, 1)
    text = meta and field(body, *meta, number)
    return body[text[0] : text[1]].decode() if text else ""


APPLICATIONS = "/apis/argoproj.io/v1alpha1"


def application(number, resources):
    """An Application of many resources, one of which is a Job, as large as real ones: with values of a chart."""
    name = f"app-{number:04}"
    source = {
        "repoURL": "https://git.example.com/deploy.git",
        "path": f"apps/{name}",
        "targetRevision": "main",
        "helm": {"values": "replicas: 2\n" * 100},
    }
    destination = {"server": "https://kubernetes.default.svc", "namespace": name}
    kinds = [("apps", "Deployment"), ("", "Service"), ("", "ConfigMap"), ("batch", "CronJob")]
    listed = [
        {
            "group": group,
            "version": "v1",
            "kind": kind,
            "namespace": name,
            "name": f"component-{place:03}",
            "status": "Synced",
            "health": {"status": "Healthy"},
            "syncWave": place % 7,
        }
        for place in range(1, resources)
        for group, kind in [kinds[place % len(kinds)]]
    ]
    job = {"group": "batch", "version": "v1", "kind": "Job", "namespace": name, "name": "migrate", "status": "Synced"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {"project": "default", "source": source, "destination": destination},
        "status": {
            "reconciledAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "sync": {"status": "Synced", "comparedTo": {"source": source, "destination": destination}},
            "operationState": {"phase": "Succeeded", "syncResult": {"resources": [*listed, job]}},
            "resources": [*listed, job],
        },
    }


def write_applications(plane, count, resources):
    """Makes this many Applications."""
    plane.kube("create", "namespace", "argocd")
    connection = plane.connection()
    for number in range(count):
        connection.request(
            "POST",
            f"{APPLICATIONS}/namespaces/argocd/applications",
            body=json.dumps(application(number, resources)),
            headers={"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 201:
            raise SystemExit(f"error: the server answers {answer.status}: {body[:300]!r}")
    connection.close()


# Without specs and status.
METADATA = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
ACCEPT = {"pb": PROTOBUF, "json": "application/json", "metadata": METADATA}


def read(plane, encoding, url=None, gzip=False, size=500, path=None, connections=1):
    """The limit of any client: reads all pages and throws them away, one after another or over several connections.

    With several, each takes one namespace after another, all at the resourceVersion that the first page shows. Returns the
    seconds from before the first connection is made until the last byte has come, the pages, and the bytes that came over
    the wire.
    """
    headers = {"Accept": ACCEPT[encoding], "User-Agent": "raw"}
    if gzip:
        headers["Accept-Encoding"] = "gzip"
    selector = f"labelSelector={urllib.parse.quote(LABEL, safe='')}"
    totals = {"pages": 0, "bytes": 0}

    def get(connection, query):
        # Right after very much was written, the server's cache may be behind.
        for _ in range(10):
            connection.request("GET", query, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 504:
                break
            time.sleep(1)
        if answer.status != 200:
            raise SystemExit(f"error: the server answers {answer.status}: {body[:300]!r}")
        totals["pages"] += 1
        totals["bytes"] += len(body)
        if answer.getheader("Content-Encoding") == "gzip":
            import zlib

            body = zlib.decompress(body, wbits=31)
        return body

    def read_all(connection, query, at=""):
        """All pages. A continue token carries the version itself, and the server refuses it beside another."""
        token = next_token(get(connection, query + at), encoding)
        while token:
            token = next_token(get(connection, f"{query}&continue={urllib.parse.quote(token, safe='')}"), encoding)

    def read_some(namespaces, version):
        connection = plane.connection(url)
        # An iterator that several threads share gives each namespace to one of them.
        for namespace in namespaces:
            query = f"/apis/batch/v1/namespaces/{namespace}/jobs?{selector}&limit={size}"
            read_all(connection, query, f"&resourceVersion={version}&resourceVersionMatch=Exact")
        connection.close()
        done.append(connection)

    done = []
    begun = time.perf_counter()
    if connections == 1:
        connection = plane.connection(url)
        read_all(connection, f"{path}?limit={size}" if path else f"/apis/batch/v1/jobs?{selector}&limit={size}")
        connection.close()
    else:
        connection = plane.connection(url)
        version = of_list_meta(get(connection, "/apis/batch/v1/jobs?limit=1"), 2)
        connection.close()
        namespaces = iter([f"team-{number:03}" for number in range(20)])
        threads = [threading.Thread(target=read_some, args=(namespaces, version)) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # What a thread raises ends nothing but the thread.
        if len(done) < connections:
            raise SystemExit("error: a connection of the raw read has ended early")
    return {"wall": time.perf_counter() - begun, **totals}
