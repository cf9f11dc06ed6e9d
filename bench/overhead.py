#!/usr/bin/env python3
"""What the service adds to the work itself.

Whole commands against whole commands, in turn (a row is the median over the rounds, the first round apart):

  compile   `hone compile --no-cache` with the private coordinator warm, against `hone-worker --once` alone
  cached    `hone compile` of a model that was compiled before
  run       `hone run --rpc-tracker` of an artifact that was uploaded before, against `hone run` here

One lease, from the call of Submit to the durable result, of a job without work in it (`--only leases`): median and p90,
and where the time goes. And `hone run` through the private coordinator against `hone run` here (`--only runs`).

The promises are those of docs/scale.md. Run it on an otherwise idle machine."""
import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "service")
MEGABYTE = 1e6
WARM_UP = 5  # leases that are not counted
PAUSE = 0.3  # before a lease or a run, so that the worker has a child in reserve again
PARTS = (("Submit until the coordinator has decided", "sent", "granted"),
         ("job and lease durable, the client told", "granted", "answered"),
         ("lease at the worker", "answered", "begun"),
         ("files, child, run, outputs stored", "begun", "done"),
         ("result at the coordinator", "done", "ended"),
         ("result durable, the client told", "ended", "told"))


def programs(build):
    """The environment that the service's tests want."""
    def at(*parts):
        return os.path.join(os.path.abspath(build), *parts)
    return {"HONE_SERVER_PROGRAM": at("bin", "hone-server"), "HONE_WORKER": at("bin", "hone-worker"), "HONE": at("bin", "hone"),
            "SERVICE_TOOL": at("bin", "service_tool"), "SERVICE_PROBE": at("bin", "service_probe"),
            "HISTORY_CLIENT": at("bin", "history_client"), "LEASE_LATENCY": at("bench", "lease_latency")}


def seconds(command, environment):
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"overhead.py: {' '.join(command)}: {done.stderr.strip()}")
    return time.perf_counter() - begun


def rounds_of(count, *measures, pause=0.0):
    """Rows of what each gives, taken in turn; the first round warms up."""
    rows = []
    for _ in range(count + 1):
        row = []
        for measure in measures:
            time.sleep(pause)
            row.append(measure())
        rows.append(row)
    return list(zip(*rows[1:]))


def medians(columns):
    return [statistics.median(column) for column in columns]


def p90(values):
    return sorted(values)[len(values) * 9 // 10]


def sync_ms(folder):
    """How long this disk takes to make 4 KiB more of a file durable: median and p90."""
    path = os.path.join(folder, "sync")
    times = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - begun))
            time.sleep(0.005)
    os.unlink(path)
    return statistics.median(times), p90(times)


def measure_commands(service, model, count):
    hone, tool, worker = os.environ["HONE"], os.environ["SERVICE_TOOL"], os.environ["HONE_WORKER"]
    local = service.environment(USER="ann", LOGNAME="ann")
    alone, shared = os.path.join(service.folder, "alone.tar"), os.path.join(service.folder, "shared.tar")
    direct, compiled, cached = medians(rounds_of(
        count,
        lambda: seconds([tool, "compile-file", worker, service.target_file(), model, alone], local),
        lambda: seconds([hone, "compile", "--no-cache", model, "-o", shared], local),
        lambda: seconds([hone, "compile", model, "-o", shared], local)))
    moved = (os.path.getsize(model) + os.path.getsize(shared)) / MEGABYTE
    subprocess.run([hone, "server", "stop"], env=local, capture_output=True, check=False)
    wait_until_settled()
    outputs = os.path.join(service.folder, "out.npz")
    here, there = medians(rounds_of(
        count,
        lambda: seconds([hone, "run", shared, "-o", outputs], local),
        lambda: seconds([hone, "run", shared, "-o", outputs, "--rpc-tracker", service.address, "--rpc-key", "board"], local)))
    return {"model": os.path.basename(model), "moved_mb": moved, "worker_s": direct, "compile_s": compiled,
            "compile_overhead_s": compiled - direct, "compile_promise_s": 0.3 + 0.002 * moved, "cached_s": cached,
            "run_here_s": here, "run_there_s": there, "run_overhead_ms": 1000 * (there - here)}


def wait_until_settled():
    """A file that was written a moment ago is hashed again at each use, since its time does not tell yet whether it changed."""
    time.sleep(4)


def tiny_artifact(service):
    """A network that computes next to nothing."""
    artifact = os.path.join(service.folder, "tiny.tar")
    subprocess.run([os.environ["SERVICE_TOOL"], "compile-file", os.environ["HONE_WORKER"], service.target_file(),
                    service.models(1)[0], artifact], env=service.environment(), check=True)
    return artifact


def worker_log(service, name):
    """task -> the instants, in microseconds, at which its lease began and was done; the log's clock has milliseconds."""
    instants = {}
    for line in service.log(name, 1 << 24).splitlines():
        entry = json.loads(line)
        step = {"lease begins": "begun", "lease ends": "done"}.get(entry["event"])
        if step:
            moment = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
            instants.setdefault(int(entry["task"]), {})[step] = moment.timestamp() * 1e6 + 500
    return instants


def measure_leases(service, count):
    command = [os.environ["LEASE_LATENCY"], "--server", service.address, "--key", "board", "--artifact", tiny_artifact(service),
               "--rounds", str(count + WARM_UP), "--pause-ms", str(int(1000 * PAUSE))]
    done = subprocess.run(command, env=service.environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"overhead.py: {done.stderr.strip()}")
    rows = [json.loads(line) for line in done.stdout.splitlines()][WARM_UP:]
    instants = worker_log(service, "worker-board-1")
    for row in rows:
        row.update(instants[row["task"]])
    whole = [(row["told"] - row["sent"]) / 1000 for row in rows]
    return {"leases": len(rows), "median_ms": statistics.median(whole), "p90_ms": p90(whole), "sync_ms": sync_ms(service.folder),
            "parts_ms": {name: statistics.median((row[to] - row[since]) / 1000 for row in rows) for name, since, to in PARTS}}


def measure_runs(service, count):
    hone, artifact = os.environ["HONE"], tiny_artifact(service)
    local = service.environment(USER="ann", LOGNAME="ann")
    outputs = os.path.join(service.folder, "out.npz")
    wait_until_settled()
    try:
        here, there = rounds_of(
            count,
            lambda: seconds([hone, "run", artifact, "-o", outputs], local),
            lambda: seconds([hone, "run", artifact, "-o", outputs, "--server", "private", "--rpc-key", "local"], local),
            pause=PAUSE)
    finally:
        subprocess.run([hone, "server", "stop"], env=local, capture_output=True, check=False)
    return {"here_ms": 1000 * statistics.median(here), "here_p90_ms": 1000 * p90(here), "private_ms": 1000 * statistics.median(there),
            "private_p90_ms": 1000 * p90(there), "added_ms": 1000 * (statistics.median(there) - statistics.median(here))}


def print_commands(rows):
    print("| model | MB moved | hone-worker --once s | hone compile s | added s | promise s | cached s | run here ms | "
          "run on a device ms | added ms |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(f"| {row['model']} | {row['moved_mb']:.0f} | {row['worker_s']:.2f} | {row['compile_s']:.2f} | "
              f"{row['compile_overhead_s']:.2f} | {row['compile_promise_s']:.2f} | {row['cached_s']:.2f} | "
              f"{1000 * row['run_here_s']:.0f} | {1000 * row['run_there_s']:.0f} | {row['run_overhead_ms']:.0f} |")


def print_leases(row):
    print(f"\n| one lease, median of {row['leases']} | ms |\n|---|---:|")
    for name, value in row["parts_ms"].items():
        print(f"| {name} | {value:.1f} |")
    print(f"| **from Submit to the durable result** (p90 {row['p90_ms']:.1f}) | **{row['median_ms']:.1f}** |")
    print(f"| for comparison: 4 KiB more of a file, synced to this disk (p90 {row['sync_ms'][1]:.1f}) | {row['sync_ms'][0]:.1f} |")


def print_runs(row):
    print("\n| hone run here ms (p90) | through the private coordinator ms (p90) | added ms |\n|---:|---:|---:|")
    print(f"| {row['here_ms']:.1f} ({row['here_p90_ms']:.1f}) | {row['private_ms']:.1f} ({row['private_p90_ms']:.1f}) | "
          f"{row['added_ms']:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build folder with the programs and tests")
    parser.add_argument("--only", default="commands,leases,runs", help="what is measured, with commas")
    parser.add_argument("--samples", default="mobilenet-v2,resnet50-v2", help="for commands: names of `hone sample`, with commas")
    parser.add_argument("--rounds", type=int, default=7, help="of commands")
    parser.add_argument("--leases", type=int, default=50)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--json", help="also write everything measured to this file")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    os.environ.update(programs(arguments.build))
    sys.path.insert(0, TESTS)
    from harness import Service  # pylint: disable=import-outside-toplevel,import-error

    folder = tempfile.mkdtemp(prefix="hone-overhead-")
    service = Service(folder)
    report = {}
    try:
        os.makedirs(os.path.join(folder, "run"), mode=0o700)
        service.start_coordinator()
        service.start_worker("board-1", "device", key="board", more=("--log-format", "json"))
        service.wait_for_workers("board-1")
        if "commands" in wanted:
            report["commands"] = []
            for sample in arguments.samples.split(","):
                model = os.path.join(folder, sample + ".onnx")
                subprocess.run([os.environ["HONE"], "sample", sample, "-o", model], env=service.environment(), check=True)
                report["commands"].append(measure_commands(service, model, arguments.rounds))
            print_commands(report["commands"])
        if "leases" in wanted:
            report["leases"] = measure_leases(service, arguments.leases)
            print_leases(report["leases"])
        if "runs" in wanted:
            report["runs"] = measure_runs(service, arguments.runs)
            print_runs(report["runs"])
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
