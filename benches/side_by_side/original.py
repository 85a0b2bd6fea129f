"""Runs the original, JobCleaner of the PyPI package mas-devops, and prints what it took, as JSON.

It runs in the virtual environment that compare.py makes for it.

usage: original.py plan KUBECONFIG LABEL SERVER_PID GROUPS | original.py delete KUBECONFIG LABEL

`plan` takes the steps of its cleanup_jobs that read: all groups, then the Jobs of each group, of which there are too many
to wait for: the time of GROUPS of them stands for all. (Its dry run cannot be used for this: that sends every delete.)
`delete` is its whole cleanup_jobs, with the time that its deletes took.
"""

import json
import os
import sys
import time

from kubernetes import client, config
from mas.devops.saas.job_cleaner import JobCleaner

# As many as the others ask for. Its own default of 100 makes it slower.
LIMIT = 500


def server_cpu(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def plan(cleaner, label, server, sample):
    def timed(work):
        cpu, begun = server_cpu(server), time.perf_counter()
        result = work()
        return result, time.perf_counter() - begun, server_cpu(server) - cpu

    groups, listed, listed_cpu = timed(lambda: sorted(cleaner._get_all_cleanup_groups(label, LIMIT)))
    # Spread over all of them.
    some = groups[:: max(1, len(groups) // sample)][:sample]

    def read():
        for namespace, group in some:
            jobs = cleaner._get_all_jobs(namespace, group, label, LIMIT)
            sorted(jobs, key=lambda job: job.metadata.creation_timestamp, reverse=True)

    _, read_time, read_cpu = timed(read)
    share = len(groups) / max(1, len(some))
    return {
        "groups": len(groups),
        "sampled": len(some),
        "groups_wall": listed,
        "a_group": read_time / max(1, len(some)),
        "wall": listed + read_time * share,
        "server": listed_cpu + read_cpu * share,
    }


def delete(cleaner, label):
    real, took = cleaner.batch_v1_api.delete_namespaced_job, []

    def counted(*arguments, **options):
        begun = time.perf_counter()
        answer = real(*arguments, **options)
        took.append(time.perf_counter() - begun)
        return answer

    cleaner.batch_v1_api.delete_namespaced_job = counted
    begun = time.perf_counter()
    cleaner.cleanup_jobs(label, LIMIT, False)
    return {"deleted": len(took), "delete_wall": sum(took), "wall": time.perf_counter() - begun}


def main():
    what, kubeconfig, label, *rest = sys.argv[1:]
    config.load_kube_config(config_file=kubeconfig)
    cleaner = JobCleaner(client.ApiClient())
    figures = plan(cleaner, label, *map(int, rest)) if what == "plan" else delete(cleaner, label)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps({**figures, "peak": peak * 1024}))


if __name__ == "__main__":
    main()
