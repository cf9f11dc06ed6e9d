"""The engines that are compared, each in a process of its own: `python engines.py NAME` answers requests, a JSON line each.

    {"do": "open", "model": PATH, "threads": N, "shapes": {...}}  ->  {"version": ..., "inputs": [[name, dtype, shape], ...]}
    {"do": "feed", "file": NPZ}                                   ->  {}
    {"do": "run", "seconds": S, "count": N}                       ->  {"milliseconds": [...]}
    {"do": "outputs", "file": NPZ}                                ->  {}

A process of its own, so that the parent can stop it between its turns: thread pools that spin for work would
disturb the others otherwise. Only the inference is timed: inputs and outputs are bound beforehand.
"""

import json
import sys
import time
from typing import Any, Protocol

import numpy as np


class Engine(Protocol):
    version: str

    def open(self, model: str, threads: int, shapes: dict[str, list[int]]) -> list[tuple[str, str, list[int]]]: ...

    def feed(self, inputs: dict[str, np.ndarray]) -> None: ...

    def run(self) -> None: ...

    def outputs(self) -> dict[str, np.ndarray]: ...


class Hone:
    def open(self, model, threads, shapes):
        import hone_runtime

        self.version = hone_runtime.version()
        self.session = hone_runtime.Session(model, threads)
        return [(tensor.name, tensor.dtype, tensor.shape) for tensor in self.session.inputs]

    def feed(self, inputs):
        for name, value in inputs.items():
            self.session.set_input(name, value)

    def run(self):
        self.session.run()

    def outputs(self):
        return {tensor.name: self.session.output(tensor.name) for tensor in self.session.outputs}


class OnnxRuntime:
    def open(self, model, threads, shapes):
        import onnxruntime

        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.names = [output.name for output in self.session.get_outputs()]
        return []

    def feed(self, inputs):
        self.inputs = inputs  # the binding points into these arrays
        for name, value in inputs.items():
            self.binding.bind_cpu_input(name, value)
        for name in self.names:
            self.binding.bind_output(name)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return dict(zip(self.names, self.binding.copy_outputs_to_cpu()))


class OpenVino:
    def open(self, model, threads, shapes):
        import openvino

        self.version = openvino.__version__
        core = openvino.Core()
        network = core.read_model(model)
        network.reshape({name: openvino.PartialShape(shape) for name, shape in shapes.items()})
        compiled = core.compile_model(network, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32"})
        self.request = compiled.create_infer_request()
        return []

    def feed(self, inputs):
        import openvino

        self.inputs = inputs
        for name, value in inputs.items():
            self.request.set_tensor(name, openvino.Tensor(value, shared_memory=True))

    def run(self):
        self.request.infer()

    def outputs(self):
        return {output.any_name: self.request.get_tensor(output).data.copy()
                for output in self.request.model_outputs}


ENGINES: dict[str, type] = {"hone": Hone, "onnxruntime": OnnxRuntime, "openvino": OpenVino}


def timed_runs(engine: Engine, seconds: float, count: int) -> list[float]:
    """Milliseconds of single inferences: at least `count`, and as many as fit into `seconds`. The first, with
    caches full of somebody else's data, is not counted."""
    engine.run()
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while len(samples) < count or time.perf_counter() < end:
        start = time.perf_counter_ns()
        engine.run()
        samples.append((time.perf_counter_ns() - start) / 1e6)
    return samples


def answer(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "open":
            inputs = engine.open(request["model"], request["threads"], request["shapes"])
            return {"version": engine.version, "inputs": inputs}
        case "feed":
            with np.load(request["file"]) as file:
                engine.feed(dict(file))
            return {}
        case "run":
            return {"milliseconds": timed_runs(engine, request["seconds"], request["count"])}
        case "outputs":
            np.savez(request["file"], **engine.outputs())
            return {}
        case other:
            raise ValueError(f"unknown request {other!r}")


def main() -> None:
    engine = ENGINES[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps(answer(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
