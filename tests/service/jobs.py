"""What tests submit by hand, through a Probe."""
import os
import subprocess

from harness import HONE


class Maker:
    """Makes jobs of one service. The models lie in its folder."""

    def __init__(self, service):
        self.service = service
        self.target = service.target_json()
        self.models = service.models(40)
        self.number = 0

    def content(self, number):
        with open(self.models[number], "rb") as file:
            return file.read()

    def slow_model(self):
        """Takes seconds to compile."""
        path = os.path.join(self.service.folder, "slow.onnx")
        if not os.path.exists(path):
            subprocess.run([HONE, "sample", "inception-v1", "-o", path], check=True, env=self.service.environment())
        with open(path, "rb") as file:
            return file.read()

    def request_id(self):
        self.number += 1
        return f"job-{self.number}"

    def compile(self, probe, content, options=None, skip_cache=False, **more):
        """The id of a compile job."""
        digest = content if isinstance(content, dict) else probe.upload(content)
        spec = {"model": digest, "skip_cache": skip_cache,
                "options": {"opt_level": 3, "target_description": self.target, **(options or {})}}
        return probe.ok("Jobs/Submit", {"request_id": self.request_id(), "spec": {"compile": spec}, **more})["id"]

    def compile_slowly(self, probe, **more):
        """The id of a compile job that takes seconds, however many cores there are."""
        return self.compile(probe, self.slow_model(), options={"threads": 1}, **more)

    def run(self, probe, artifact, key="board", options=None, **more):
        """The id of a run job."""
        spec = {"artifact": artifact, "key": key, "options": {"threads": "1", **(options or {})}}
        return probe.ok("Jobs/Submit", {"request_id": self.request_id(), "spec": {"run": spec}, **more})["id"]

    def artifact(self, probe, number=0):
        """The digest of a compiled model, compiled by the service."""
        job = probe.wait_for_job(self.compile(probe, self.content(number)))
        if job["state"] != "JOB_SUCCEEDED":
            raise AssertionError(f"{job}")
        return job["result"]["artifact"]


def outcome(job):
    """(state, outcome, sentence) of a job that has ended."""
    result = job.get("result", {}).get("result", {})
    return job["state"].removeprefix("JOB_"), result.get("outcome", "DONE"), result.get("sentence", "")
