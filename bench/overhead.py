#!/usr/bin/env python3
"""What the service adds to the work itself, whole commands against whole commands, in turn:

  compile   `hone compile --no-cache` with the private coordinator warm, against `hone-worker --once` alone
  cached    `hone compile` of a model that was compiled before
  run       `hone run --rpc-tracker` of an artifact that was uploaded before, against `hone run` here

A row is the median over the rounds, the first round apart; the promises are those of docs/scale.md."""
import argparse
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


def programs(build):
    """The environment that the service's tests want."""
    def at(*parts):
        return os.path.join(os.path.abspath(build), *parts)
    return {"HONE_SERVER_PROGRAM": at("bin", "hone-server"), "HONE_WORKER": at("bin", "hone-worker"), "HONE": at("bin", "hone"),
            "SERVICE_TOOL": at("bin", "service_tool"), "SERVICE_PROBE": at("bin", "service_probe"),
            "HISTORY_CLIENT": at("bin", "history_client")}


def seconds(command, environment):
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"overhead.py: {' '.join(command)}: {done.stderr.strip()}")
    return time.perf_counter() - begun


def rounds_of(count, *measures):
    """Medians of what each gives, taken in turn; the first round warms up."""
    rows = [[measure() for measure in measures] for _ in range(count + 1)][1:]
    return [statistics.median(column) for column in zip(*rows)]


def measure(service, model, count):
    hone, tool, worker = os.environ["HONE"], os.environ["SERVICE_TOOL"], os.environ["HONE_WORKER"]
    local = service.environment(USER="ann", LOGNAME="ann")
    alone, shared = os.path.join(service.folder, "alone.tar"), os.path.join(service.folder, "shared.tar")
    direct, compiled, cached = rounds_of(
        count,
        lambda: seconds([tool, "compile-file", worker, service.target_file(), model, alone], local),
        lambda: seconds([hone, "compile", "--no-cache", model, "-o", shared], local),
        lambda: seconds([hone, "compile", model, "-o", shared], local))
    moved = (os.path.getsize(model) + os.path.getsize(shared)) / MEGABYTE
    subprocess.run([hone, "server", "stop"], env=local, capture_output=True, check=False)
    # A file that was written a moment ago is hashed again at each use, since its time does not tell yet whether it changed.
    time.sleep(4)
    outputs = os.path.join(service.folder, "out.npz")
    here, there = rounds_of(
        count,
        lambda: seconds([hone, "run", shared, "-o", outputs], local),
        lambda: seconds([hone, "run", shared, "-o", outputs, "--rpc-tracker", service.address, "--rpc-key", "board"], local))
    return {"model": os.path.basename(model), "moved_mb": moved, "worker_s": direct, "compile_s": compiled,
            "compile_overhead_s": compiled - direct, "compile_promise_s": 0.3 + 0.002 * moved, "cached_s": cached,
            "run_here_s": here, "run_there_s": there, "run_overhead_ms": 1000 * (there - here)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build folder with the programs and tests")
    parser.add_argument("--samples", default="mobilenet-v2,resnet50-v2", help="names of `hone sample`, with commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", help="also write everything measured to this file")
    arguments = parser.parse_args()
    os.environ.update(programs(arguments.build))
    sys.path.insert(0, TESTS)
    from harness import Service  # pylint: disable=import-outside-toplevel,import-error

    folder = tempfile.mkdtemp(prefix="hone-overhead-")
    service = Service(folder)
    rows = []
    try:
        os.makedirs(os.path.join(folder, "run"), mode=0o700)
        service.start_coordinator()
        service.start_worker("board-1", "device", key="board")
        service.wait_for_workers("board-1")
        for sample in arguments.samples.split(","):
            model = os.path.join(folder, sample + ".onnx")
            subprocess.run([os.environ["HONE"], "sample", sample, "-o", model], env=service.environment(), check=True)
            rows.append(measure(service, model, arguments.rounds))
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print("| model | MB moved | hone-worker --once s | hone compile s | added s | promise s | cached s | run here ms | "
          "run on a device ms | added ms |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(f"| {row['model']} | {row['moved_mb']:.0f} | {row['worker_s']:.2f} | {row['compile_s']:.2f} | "
              f"{row['compile_overhead_s']:.2f} | {row['compile_promise_s']:.2f} | {row['cached_s']:.2f} | "
              f"{1000 * row['run_here_s']:.0f} | {1000 * row['run_there_s']:.0f} | {row['run_overhead_ms']:.0f} |")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
