#!/usr/bin/env python3
"""The scale of the coordinator: simulated fleets of growing size against a fresh hone-server each, on this machine.

    bench/fleet.py --build build/release                     # the curve and the saturation, 12 minutes
    bench/fleet.py --build build/release --small             # 20 workers, 500 items: a few seconds
    bench/fleet.py --build build/release --workers 1000      # one point
    bench/fleet.py --build build/release --batches 1,64      # items of probe tasks, so many to a lease

Prints the table of docs/scale.md; --json keeps everything. Fails if an item was not done exactly once or, with
--check, if the numbers that docs/scale.md promises are missed. Run it on an otherwise idle machine.
"""
import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

CURVE = [10, 30, 100, 300, 1000]
SATURATION_WORKERS = [10, 100, 1000]
WORK_MS = (300, 500)
ITEMS_PER_WORKER = 100  # 40 s of work for each worker
SATURATION_ITEMS = 50000
BATCH_WORKERS, BATCH_ITEMS = 100, 100000
PROMISED = {"items_per_second": 2000, "p99_ms": 50, "peak_mb": 500}
PATIENCE = 120


class Server:
    """A coordinator with a data folder of its own and quotas that do not bind."""

    def __init__(self, program, folder, log_level):
        self.admin_file = os.path.join(folder, "admin")
        port_file = os.path.join(folder, "port")
        self.log = open(os.path.join(folder, "log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "--data", os.path.join(folder, "data"), "--listen", "127.0.0.1:0", "--port-file", port_file,
             "--admin", "127.0.0.1:0", "--admin-port-file", self.admin_file, "--log-level", log_level,
             "--max-queued-jobs", "100000000", "--max-running-jobs", "1000000", "--disk-reserve", "0"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.address = self.wait_for(port_file)
        self.admin = self.wait_for(self.admin_file)

    def wait_for(self, path):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                with open(path, encoding="utf-8") as file:
                    text = file.read().strip()
                if text:
                    return text
            except FileNotFoundError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.end()
        with open(self.log.name, encoding="utf-8") as file:
            sys.exit(f"fleet.py: hone-server did not start: {file.read()[-2000:]}")

    def metrics(self):
        """name or name{labels} -> value."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=PATIENCE) as page:
            lines = page.read().decode().splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))}

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def quantile(before, after, name, share):
    """Upper bound of the bucket that holds the share of what a histogram counted between two looks."""
    buckets = []
    for key, value in after.items():
        found = re.fullmatch(re.escape(name) + r'_bucket\{le="([^"]+)"\}', key)
        if found:
            buckets.append((float(found[1].replace("+Inf", "inf")), value - before.get(key, 0)))
    buckets.sort()
    if not buckets or not buckets[-1][1]:
        return None
    return next(bound for bound, count in buckets if count >= share * buckets[-1][1])


def difference(before, after, name):
    return after.get(name, 0) - before.get(name, 0)


def measure(arguments, workers, items, work_ms, batch=0):
    with tempfile.TemporaryDirectory(prefix="hone-fleet-", dir=arguments.folder) as folder:
        server = Server(os.path.join(arguments.build, "bin", "probe_server" if batch else "hone-server"), folder, arguments.log_level)
        try:
            before = server.metrics()
            report_file = os.path.join(folder, "report.json")
            done = subprocess.run(
                [os.path.join(arguments.build, "bench", "fleet_simulator"), "--server", server.address,
                 "--server-pid", str(server.process.pid), "--workers", str(workers), "--items", str(items),
                 "--work-ms", *map(str, work_ms), "--seed", str(arguments.seed), "--crews", str(arguments.crews),
                 "--submit", arguments.submit, "--batch", str(batch),
                 "--items-per-message", str(arguments.items_per_message), "--patience", str(arguments.patience), "--json", report_file],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"fleet.py: {workers} workers, {items} items: {done.stderr.strip()}")
            after = server.metrics()
        finally:
            server.end()
        with open(report_file, encoding="utf-8") as file:
            report = json.load(file)
    commits = difference(before, after, "hone_db_commit_seconds_count")
    report["server_metrics"] = {
        "lease_latency_p50_at_most_ms": milliseconds(quantile(before, after, "hone_lease_latency_seconds", 0.50)),
        "lease_latency_p99_at_most_ms": milliseconds(quantile(before, after, "hone_lease_latency_seconds", 0.99)),
        "commits": commits,
        "changes_per_commit": difference(before, after, "hone_db_changes_total") / max(commits, 1),
        "commit_p99_at_most_ms": milliseconds(quantile(before, after, "hone_db_commit_seconds", 0.99)),
        "mean_commit_ms": 1e3 * difference(before, after, "hone_db_commit_seconds_sum") / max(commits, 1),
        "leases_expired": difference(before, after, "hone_leases_expired_total"),
    }
    return report


def milliseconds(seconds):
    return None if seconds is None else seconds * 1e3


def row(report):
    server, own, wait = report["server"], report["simulator"], report["free_to_lease_ms"]
    most = report["most_items_per_second"]
    metrics = report["server_metrics"]
    return [str(report["workers"]), str(report["items"]), str(report["batch"] or "–"), f"{report['work_ms'][0]:g}–{report['work_ms'][1]:g}",
            f"{report['items_per_second']:.0f}", f"{most:.0f}" if most else "–",
            f"{wait['p50']:.1f}", f"{wait['p99']:.1f}", f"{wait['max']:.0f}",
            f"≤ {metrics['lease_latency_p99_at_most_ms']:g}" if metrics["lease_latency_p99_at_most_ms"] else "–",
            f"{server['cpu_seconds'] / report['seconds']:.2f}", f"{own['cpu_seconds'] / report['seconds']:.2f}",
            f"{1e6 * server['cpu_seconds'] / report['items']:.0f}", f"{server['peak_bytes'] / 2**20:.0f}",
            f"{metrics['changes_per_commit']:.0f}", f"{metrics['mean_commit_ms']:.1f}"]


HEAD = ["workers", "items", "in a lease", "item ms", "items/s", "of at most", "free→lease p50 ms", "p99", "max", "by the server p99",
        "server cores", "simulator cores", "server µs/item", "server peak MiB", "changes/commit", "commit ms"]


def table_line(cells):
    return "| " + " | ".join(cells) + " |"


def missed(report):
    """What of the promised numbers the run with the most workers misses."""
    found = {"items_per_second": report["items_per_second"], "p99_ms": report["free_to_lease_ms"]["p99"],
             "peak_mb": report["server"]["peak_bytes"] / 2**20}
    lines = []
    if found["items_per_second"] < PROMISED["items_per_second"]:
        lines.append(f"{found['items_per_second']:.0f} items/s, promised {PROMISED['items_per_second']}")
    for name in ("p99_ms", "peak_mb"):
        if found[name] > PROMISED[name]:
            lines.append(f"{name} {found[name]:.0f}, promised {PROMISED[name]}")
    return lines


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}


def plan(arguments):
    """(workers, items, item's milliseconds, items of a lease) of each run."""
    if arguments.small:
        return [(20, 500, (20, 60), 0), (20, 2000, (1, 3), 16)]
    if arguments.batches:
        return [(BATCH_WORKERS, arguments.items or BATCH_ITEMS, (0, 0), batch) for batch in arguments.batches]
    runs = [(count, arguments.items or ITEMS_PER_WORKER * count, WORK_MS, 0) for count in arguments.workers]
    return runs + [(count, arguments.saturation_items, (0, 0), 0) for count in arguments.saturation]


def main():
    def numbers(text):
        return [int(word) for word in text.split(",") if word]

    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, help="build folder with bin/hone-server and bench/fleet_simulator")
    parser.add_argument("--folder", help="where data folders are made, on the disk to be measured (default: temporary)")
    parser.add_argument("--workers", type=numbers, default=None, help="comma-separated; default: the curve")
    parser.add_argument("--items", type=int, default=0, help="default: 100 for each worker")
    parser.add_argument("--saturation", type=numbers, default=None, help="workers of the runs with items of no length")
    parser.add_argument("--saturation-items", type=int, default=SATURATION_ITEMS)
    parser.add_argument("--batches", type=numbers, default=None, help="items of one lease: these runs instead of the curve")
    parser.add_argument("--items-per-message", type=int, default=8, help="results that a worker sends together")
    parser.add_argument("--submit", choices=["before", "during"], default="before")
    parser.add_argument("--crews", type=int, default=1, help="threads of the simulator")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=int, default=900, help="seconds until a run has failed")
    parser.add_argument("--log-level", default="warning")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--check", action="store_true", help="fail if 1,000 workers miss what docs/scale.md promises")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    if arguments.saturation is None:
        arguments.saturation = SATURATION_WORKERS if arguments.workers is None else []
    if arguments.workers is None:
        arguments.workers = CURVE

    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load {about['load']:.1f} before")
    print(table_line(HEAD) + "\n" + table_line(["---:"] * len(HEAD)), flush=True)
    reports, problems = [], []
    for workers, items, work_ms, batch in plan(arguments):
        report = measure(arguments, workers, items, work_ms, batch)
        reports.append(report)
        print(table_line(row(report)), flush=True)
        if arguments.check and workers >= 1000 and work_ms == WORK_MS:
            problems += missed(report)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": about, "runs": reports}, file, indent=1)
    for problem in problems:
        print(f"missed: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
