"""A collector of telemetry for scenario tests: tests/peers/otlp.mjs, which decodes with classes by others."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

from deployment import TOP, free_port, read, wait_for

PEER = os.path.join(TOP, "tests", "peers", "otlp.mjs")


class Collector:
    """Runs from `start` to `stop`, on one port; what it got and how it answers outlive that."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rt-collector-")
        self.port = free_port()
        self.child = None
        self.certificate = []

    @property
    def url(self):
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        before = read(self.path("out")).count('{"up":')
        with open(self.path("out"), "ab") as out:
            self.child = subprocess.Popen(
                ["node", PEER, str(self.port), self.path("answers"), *self.certificate],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_for(lambda: read(self.path("out")).count('{"up":') > before, "the collector")
        return self

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.kill()
        if self.child:
            self.child.wait()

    def answer(self, mode, **details):
        """From the next request on; written aside first, since it is read for each."""
        with open(self.path("next"), "w", encoding="utf-8") as file:
            json.dump({"mode": mode, "headers": {}, "message": "", **details}, file)
        os.rename(self.path("next"), self.path("answers"))

    def requests(self, path=None):
        """All that came, or those to paths that end like this."""
        lines = [json.loads(line) for line in read(self.path("out")).split("\n")[:-1]
                 if line.startswith("{")]
        return [line for line in lines
                if "path" in line and (path is None or line["path"].endswith(path))]

    def taken(self, path):
        return [line["body"] for line in self.requests(path) if line["mode"] in ("ok", "partial")]

    def spans(self):
        """Those that it said it took: (resource, scope, span)."""
        return [(group["resource"], scope["scope"], span) for body in self.taken("/v1/traces")
                for group in body["resourceSpans"] for scope in group["scopeSpans"]
                for span in scope["spans"]]

    def logs(self):
        return [(group["resource"], scope["scope"], line) for body in self.taken("/v1/logs")
                for group in body["resourceLogs"] for scope in group["scopeLogs"]
                for line in scope["logRecords"]]

    def metrics(self):
        """The newest of each: name → metric."""
        return {metric["name"]: metric for body in self.taken("/v1/metrics")
                for group in body["resourceMetrics"] for scope in group["scopeMetrics"]
                for metric in scope["metrics"]}

    def paths(self):
        """`url.path` of each span of a request that it took."""
        return [attributes(span).get("url.path") for _, _, span in self.spans()]

    def wait_for_paths(self, wanted):
        wait_for(lambda: set(wanted) <= set(self.paths()), f"spans of {wanted}")

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def value_of(value):
    (kind, content), = value.items()
    return int(content) if kind == "intValue" else content


def attributes(item):
    return {one["key"]: value_of(one["value"]) for one in item.get("attributes", [])}


@contextlib.contextmanager
def collector(start=True):
    made = Collector()
    try:
        yield made.start() if start else made
    except BaseException:
        print(f"--- the collector ---\n{read(made.path('out'))[-4000:]}\n---------------------",
              flush=True)
        raise
    finally:
        made.close()
