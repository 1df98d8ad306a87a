# SPDX-License-Identifier: BSD-2-Clause
"""Runs in the target: one workload, over and over, for as long as each line on stdin says.

Arguments: the name of a workload below, or the path of a benchmark of pyperformance, which gets a stand-in for pyperf
that keeps its first benchmark instead of running it. Answers "run SECONDS" with "ITERATIONS CPU_SECONDS", "steps
SECONDS" with "WHEN,ITERATIONS,CPU_SECONDS" of each piece of 10 ms or one iteration; "trace N" and "untrace" (tracemalloc
with N frames), "memray FILE" and "unmemray" (with Python's allocators) with "ok".
"""

import json
import random
import runpy
import sys
import threading
import time
import tracemalloc
import types


class Runner:
    """As much of pyperf.Runner as the benchmarks use until they hand over what is to be measured."""

    def __init__(self, *args, **kwargs):
        import argparse

        self.argparser = argparse.ArgumentParser()
        self.metadata = {}
        self.args = None

    def parse_args(self, args=None):
        self.args = self.argparser.parse_args([] if args is None else args)
        return self.args

    def bench_func(self, name, function, *args, inner_loops=None):
        raise Found(lambda: function(*args))

    def bench_time_func(self, name, function, *args, inner_loops=None):
        raise Found(lambda: function(1, *args))


class Found(Exception):
    pass


def pyperformance(path):
    pyperf = types.ModuleType("pyperf")
    pyperf.Runner = Runner
    pyperf.perf_counter = time.perf_counter
    pyperf.python_implementation = lambda: "cpython"
    sys.modules["pyperf"] = pyperf
    sys.path.insert(0, path.rsplit("/", 1)[0])
    sys.argv = [path] + (["--pure-python", "pickle"] if path.endswith("bm_pickle/run_benchmark.py") else [])
    Runner.default = sys.argv[1:]
    Runner.parse_args = lambda self: self.argparser.parse_args(Runner.default)
    try:
        runpy.run_path(path, run_name="__main__")
    except Found as found:
        return found.args[0]
    raise SystemExit(f"{path} has no benchmark")


def json_service():
    """Decodes, changes and encodes orders, as a web service does all day."""
    orders = [
        {"id": i, "items": [{"sku": f"s{i}-{j}", "price": j * 1.25, "tags": ["a", "b"]} for j in range(10)]}
        for i in range(50)
    ]
    text = json.dumps(orders)

    def work():
        decoded = json.loads(text)
        for order in decoded:
            order["total"] = sum(item["price"] for item in order["items"])
        json.dumps(decoded)

    return work


def http_server():
    """http.server in threads, with a client beside it: an iteration is 20 requests."""
    import http.client
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"path": self.path, "headers": dict(self.headers), "n": list(range(50))}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def work():
        for n in range(20):
            client = http.client.HTTPConnection("127.0.0.1", server.server_port)
            client.request("GET", f"/orders/{n}?q={n}")
            json.loads(client.getresponse().read())
            client.close()

    return work


def pandas_groups():
    """Groups, joins and strings of a data frame with 20,000 rows."""
    import pandas

    source = random.Random(1)
    keys = [f"k{source.randrange(500)}" for _ in range(20000)]
    frame = pandas.DataFrame({"key": keys, "x": range(20000), "y": [source.random() for _ in range(20000)]})

    def work():
        grouped = frame.groupby("key").agg({"x": "sum", "y": "mean"}).reset_index()
        joined = frame.merge(grouped, on="key")
        joined["key"].str.upper().value_counts()
        frame.iloc[:2000].to_dict("records")

    return work


def object_churn():
    """The fastest allocation that Python code can do: an instance with one attribute, made and dropped."""

    class Request:
        def __init__(self, n):
            self.n = n

    def work():
        for n in range(20000):
            Request(n)

    return work


def steps(work, seconds):
    end, count, cpu, out = time.monotonic() + seconds, 0, time.process_time(), []
    while (now := time.monotonic()) < end or not out:
        work()
        count += 1
        spent = time.process_time() - cpu
        if spent >= 0.01:
            out.append(f"{now:.3f},{count},{spent:.6f}")
            count, cpu = 0, time.process_time()
    return out


def main():
    name = sys.argv[1]
    work = pyperformance(name) if "/" in name else globals()[name]()
    work()
    print("ready", flush=True)
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "run":
            end, count, cpu = time.monotonic() + float(rest[0]), 0, time.process_time()
            while not count or time.monotonic() < end:
                work()
                count += 1
            print(count, time.process_time() - cpu, flush=True)
            continue
        if command == "steps":
            print(*steps(work, float(rest[0])), flush=True)
            continue
        if command == "trace":
            tracemalloc.start(int(rest[0]))
        elif command == "untrace":
            tracemalloc.stop()
        elif command == "memray":
            import memray

            tracker = memray.Tracker(rest[0], trace_python_allocators=True)
            tracker.__enter__()
        else:
            tracker.__exit__(None, None, None)
        print("ok", flush=True)


main()
