"""Figures to Markdown."""

from .sections import FORMS

MB = 1_000_000


def table(head, rows):
    """A Markdown table; all columns but the first are figures."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def seconds(value):
    if value is None:
        return None
    return f"{value:.0f} s" if value >= 100 else f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def milliseconds(value):
    return None if value is None else f"{value * 1000:.1f} ms"


def megabytes(value):
    return None if value is None else f"{value / MB:,.0f} MB" if value >= 10 * MB else f"{value / MB:.1f} MB"


def rate(value):
    return None if value is None else f"{value:,.0f} a second" if value >= 10 else f"{value:.1f} a second"


def times(value, of):
    return None if value is None or not of else f"{value / of:.2f}"


def get(results, *path):
    for step in path:
        results = (results or {}).get(step)
    return results


def headline(entries):
    """What one reads first: all of them side by side."""
    results = {name: entry["result"] for name, entry in entries.items()}
    plan = get(results, "plan", "figures") or {}
    delete = get(results, "delete", "figures") or {}
    jobs = get(results, "plan", "jobs") or 0
    wall = lambda name: get(plan, name, "wall")
    peak = lambda *names: max(
        (get(figures, name, "peak") for figures, name in names if get(figures, name, "peak")), default=None
    )

    def pair(one, two, show):
        parts = [show(value) for value in (one, two) if value is not None]
        return " / ".join(parts) or None

    concurrency = get(results, "delete", "concurrency")
    collected = get(results, "collector", "tables", "none") or {}
    until = lambda name, cascade: (
        name in collected and f"{seconds(collected[name]['jobs'])} ({cascade})" or None
    )
    original = get(plan, "original") or {}
    sampled = ""
    if original:
        sampled = f" ({original['groups_wall']:.0f} s + {original['a_group'] * 1000:.0f} ms for each of {original['groups']:,.0f} groups)"
    rows = [
        [
            "reading the pages and throwing them away, protobuf / JSON",
            pair(wall("raw protobuf"), wall("raw JSON"), seconds),
            None,
            delete.get("h2load") and f"{rate(delete['h2load']['rate'])} (h2load)",
            None,
        ],
        [
            "`kubectl get` (table) / `-o json` / `delete`",
            pair(wall("kubectl get"), wall("kubectl get -o json"), seconds),
            pair(get(plan, "kubectl get", "peak"), get(plan, "kubectl get -o json", "peak"), megabytes),
            rate(get(delete, "kubectl", "rate")),
            until("kubectl", "foreground"),
        ],
        [
            "the original (Python)",
            seconds(wall("original")) + sampled if original else None,
            megabytes(peak((plan, "original"), (delete, "original"))),
            delete.get("original") and f"{rate(delete['original']['rate'])} (foreground)",
            until("original", "foreground"),
        ],
        [
            "**kubectl jobclean**",
            seconds(wall("ours table")),
            megabytes(peak(*((plan, f"ours {form}") for form in FORMS), (delete, "ours"))),
            rate(get(delete, "ours", "rate")),
            " / ".join(
                filter(None, [until("ours auto", "auto"), until("ours foreground", "foreground")])
            ),
        ],
    ]
    number = f"{collected['ours auto']['deleted']:,.0f} Jobs" if "ours auto" in collected else "Jobs"
    planned = f"Plans of {jobs:,} Jobs" if jobs else "Plans not measured"
    deleted = f"deletes in the background with {concurrency} in flight" if concurrency else "deletes not measured"
    machines = {entries[name]["machine"] for name in ("plan", "delete", "collector") if name in entries}
    several = " Plans and deletes were not measured on the same machine." if len(machines) > 1 else ""
    return "\n".join(
        [
            f"{planned}, {deleted}; medians. Without Pods, and with a garbage collector at its default pace, "
            f"Jobs are gone after as long as the last column says.{several}\n",
            table(["", "list and plan", "peak memory", "deletes accepted", f"{number} are gone"], rows),
        ]
    )


def last_row(block):
    """A table with its last row only."""
    head, rule, rows = block.partition("---: |\n")
    return head + rule + rows.splitlines()[-1]


def plan(section):
    figures, jobs = section["figures"], section["jobs"]
    raw = get(figures, "raw protobuf", "wall")
    rows = []
    for name, row in figures.items():
        shown = name.replace("ours ", "kubectl jobclean -o ").replace("original", "the original, list and groups")
        cpu = row.get("cpu")
        rows.append(
            [
                shown,
                seconds(row.get("wall")),
                times(row.get("wall"), raw),
                seconds(cpu),
                None if cpu is None else f"{cpu / jobs * 1e6:.1f} µs",
                megabytes(row.get("peak")),
                seconds(row.get("server")),
                row["rounds"],
            ]
        )
    head = ["", "time", "of raw protobuf", "client CPU", "a Job", "peak memory", "kube-apiserver CPU", "rounds"]
    note = f"{jobs:,} Jobs, pages of 500."
    original = figures.get("original")
    if original:
        note += (
            f" The original's time is {original['groups_wall']:.0f} s to find the {original['groups']:,.0f} groups and"
            f" {original['a_group'] * 1000:.0f} ms to read each, measured on {original['sampled']:.0f} of them and multiplied;"
            " its kube-apiserver CPU likewise."
        )
    return note + "\n\n" + table(head, rows)


def large(section):
    def row(name, figures):
        peak = figures.get("peak")
        # What the program takes without Jobs is left out.
        each = f"{(peak - 16e6) / section['jobs']:.0f} bytes" if peak else ""
        time = f"none after {figures['given_up']} s" if "given_up" in figures else seconds(figures["wall"])
        return [
            name,
            time,
            seconds(figures.get("cpu")),
            megabytes(peak),
            each,
            seconds(figures["server"]),
            megabytes(figures["memory"]),
            figures["rounds"],
        ]

    head = [
        "",
        "time",
        "client CPU",
        "peak memory",
        "above 16 MB, a Job",
        "kube-apiserver CPU",
        "kube-apiserver memory",
        "rounds",
    ]
    settings = ", ".join(f"{name}={value}" for name, value in section["settings"].items())
    note = f"{section['jobs']:,} Jobs in 200 namespaces, `-o summary`"
    note += f"; kube-apiserver with {settings}." if settings else "."
    return note + "\n\n" + table(head, [row(name, figures) for name, figures in section["figures"].items()])


def line(section):
    lines = section["lines"]
    names = list(next(iter(lines.values())))
    rows = [
        [name.replace("ours", "kubectl jobclean"), *(seconds(get(figures, name, "wall")) for figures in lines.values())]
        for name in names
    ]
    return f"{section['jobs']:,} Jobs, `-o table`.\n\n" + table(["", *lines], rows)


def gitops(section):
    figures = section["figures"]
    raw = get(figures, "raw JSON", "wall")
    without = figures["ours --gitops=ignore"]
    ours = figures["ours"]
    more = {key: ours[key] - without[key] for key in ("wall", "cpu", "peak", "server")}
    rows = []
    for name, row in [*figures.items(), ("what reading them adds", more)]:
        rows.append(
            [
                name.replace("ours", "kubectl jobclean"),
                seconds(row.get("wall")),
                times(row.get("wall"), raw),
                seconds(row.get("cpu")),
                megabytes(row.get("peak")),
                seconds(row.get("server")),
            ]
        )
    head = ["", "time", "of raw JSON", "client CPU", "peak memory", "kube-apiserver CPU"]
    note = f"{section['applications']:,} Applications of 100 resources each, pages of 50, and {section['jobs']:,} Jobs."
    return note + "\n\n" + table(head, rows)


def delete(section):
    figures = section["figures"]
    best = get(figures, "h2load", "rate")
    names = {
        "ours": "kubectl jobclean --yes --cascade=background",
        "h2load": "h2load, HTTP/2, one connection",
        "kubectl": "kubectl delete --cascade=background",
        "original": "the original (foreground; its delete requests alone)",
    }
    rows = []
    for name, row in figures.items():
        deleted = row["deleted"]
        rows.append(
            [
                names[name],
                f"{deleted:,.0f}",
                rate(row["rate"]),
                times(row["rate"], best),
                None if "cpu" not in row else f"{row['cpu'] / deleted * 1e6:.0f} µs",
                megabytes(row.get("peak")),
                None if "server" not in row else f"{row['server'] / deleted * 1e6:.0f} µs",
                row["rounds"],
            ]
        )
    head = ["", "Jobs", "rate", "of h2load", "client CPU a Job", "peak memory", "kube-apiserver CPU a Job", "rounds"]
    with_plan = rate(get(figures, "ours", "rate_with_plan"))
    return (
        f"With {section['concurrency']} in flight. The rate of kubectl jobclean is that of its deletes; with the plan before them it"
        f" is {with_plan}.\n\n" + table(head, rows)
    )


def pace(section):
    rows = []
    for name, sizes in section["lines"].items():
        for figures in sizes.values():
            ours, load = figures["ours"], figures["h2load"]
            rows.append(
                [
                    name,
                    f"{ours['deleted']:,.0f}",
                    rate(ours["rate"]),
                    rate(load["rate"]),
                    times(ours["rate"], load["rate"]),
                    f"{ours['cpu'] / ours['deleted'] * 1e6:.0f} / {load['cpu'] / load['deleted'] * 1e6:.0f} µs",
                    f"{ours['server'] / ours['deleted'] * 1e6:.0f} / {load['server'] / load['deleted'] * 1e6:.0f} µs",
                    ours["rounds"],
                ]
            )
    head = ["", "Jobs", "kubectl jobclean", "h2load", "of h2load", "client CPU a Job", "kube-apiserver CPU a Job", "rounds"]
    return (
        f"With {section['concurrency']} in flight where nothing else is said, pair by pair. The rate of kubectl jobclean is that of its"
        " deletes, as it says it itself; the CPU times are those of its plan as well.\n\n" + table(head, rows)
    )


def gone(section):
    names = {
        "ours auto": "kubectl jobclean --cascade=auto",
        "ours background": "kubectl jobclean --cascade=background",
        "h2load": "h2load, background",
        "ours foreground": "kubectl jobclean --cascade=foreground",
        "kubectl": "kubectl delete --cascade=foreground",
        "original": "the original (foreground)",
    }
    rows = [
        [
            names[contender],
            what,
            f"{row['deleted']:,.0f}",
            seconds(row["command"]),
            seconds(row["jobs"]),
            times(row["jobs"], get(figures, "h2load", "jobs")),
            rate(row["deleted"] / row["jobs"]),
            seconds(row.get("pods")),
            row["rounds"],
        ]
        for what, figures in section["tables"].items()
        for contender, row in figures.items()
    ]
    head = ["", "Pods", "Jobs", "command ends", "Jobs are gone", "of h2load", "that is", "Pods are gone", "rounds"]
    used = [place for place in range(len(head)) if not place or any(row[place] is not None for row in rows)]
    return table([head[place] for place in used], [[row[place] for place in used] for row in rows])


def startup(section):
    rows = [
        [
            name if name.startswith("to") else f"`{name}`",
            milliseconds(row["wall"]),
            milliseconds(row.get("accepted")),
            row["rounds"],
        ]
        for name, row in section["figures"].items()
    ]
    return table(["", "time", "connection", "rounds"], rows)


def file(section):
    rows = [
        [
            f"`-o {form}`",
            seconds(row["wall"]),
            f"{row['rate'] / MB:,.0f} MB/s",
            megabytes(row["peak"]),
            seconds(row["cpu"]),
            row["rounds"],
        ]
        for form, row in section["figures"].items()
    ]
    size = next(iter(section["figures"].values()))["bytes"]
    return f"{section['jobs']:,} Jobs in {megabytes(size)} of JSON, through a pipe.\n\n" + table(
        ["", "time", "", "peak memory", "CPU", "rounds"], rows
    )


def scale(section):
    files = {f"{int(jobs):,} (a file)": figures for jobs, figures in section["files"].items()}
    sizes = {f"{int(jobs):,}": figures for jobs, figures in section["sizes"].items()}
    memory = [
        [f"`-o {form}`"]
        + [megabytes(get(figures, f"ours {form}", "peak")) for figures in sizes.values()]
        + [megabytes(get(figures, form, "peak")) for figures in files.values()]
        for form in FORMS
    ]
    ends = [(int(jobs), get(figures, "ours table", "peak")) for jobs, figures in section["sizes"].items()]
    growth = ""
    if len(ends) > 1:
        (few, low), (many, high) = ends[-2:]
        growth = f"\n\nFrom {few:,} to {many:,} Jobs `-o table` grows by {(high - low) / (many - few):.0f} bytes a Job."
    walls = [
        [
            name.replace("ours ", "kubectl jobclean -o "),
            *(seconds(get(figures, name, "wall")) for figures in sizes.values()),
        ]
        for name in ("raw protobuf", "ours table", "ours json", "kubectl get")
    ]
    return (
        "Peak memory:\n\n"
        + table(["", *sizes, *files], memory)
        + growth
        + "\n\nTime:\n\n"
        + table(["", *sizes], walls)
        + '\n\n<img src="scale.svg" alt="Time and peak memory against the number of Jobs">'
    )


SECTIONS = {
    "startup": startup,
    "plan": plan,
    "cores": plan,
    "large": large,
    "line": line,
    "gitops": gitops,
    "delete": delete,
    "pace": pace,
    "gone": gone,
    "collector": gone,
    "file": file,
    "scale": scale,
}


def machine(entry):
    """Where and when a section was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items() if version)
    return f"Measured on {entry['date']}: {entry['machine']}; {versions}."


def blocks(results):
    """What goes between the markers of the README, by name."""
    made = {}
    for name, entry in results.items():
        made[name] = SECTIONS[name](entry["result"]) + "\n\n" + machine(entry)
    if "plan" in results or "delete" in results:
        made["headline"] = headline(results)
    return made


def fill(readme, made):
    """A README with these blocks between their markers, each of which has to be there."""
    for name, text in made.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = readme.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"error: benches/README.md has no place for {name}: {begin} … {end}")
        readme = f"{before}{begin}\n{text}\n{end}{after}"
    return readme
