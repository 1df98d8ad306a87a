# SPDX-License-Identifier: BSD-2-Clause
"""A `pymemtop daemon` for tests: started, waited for, asked over its socket and over HTTP, ended by its own PID."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

import patience

SAMPLE = re.compile(r"^([a-z_]+)\{(.*)\} (\S+)$")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, timeout=60, what="it"):
    """The first true value of condition()."""
    deadline = time.monotonic() + patience.seconds(timeout)
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.05)


class Connection:
    """A client of the Unix socket."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience.seconds(timeout))
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def send(self, **request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")

    def receive(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, **request):
        self.send(**request)
        return self.receive()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Daemon:
    def __init__(self, program, directory, *arguments, http=True, env=None):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "pymemtop.sock"
        # A port that was free a moment ago may be somebody else's by now.
        for _ in range(5):
            self.port = free_port()
            self.log_path = self.directory / f"daemon-{self.port}.log"
            self.start(program, arguments, http, env)
            if self.process.poll() is None or "in use" not in self.log:
                break
        assert self.process.poll() is None, self.log

    def start(self, program, arguments, http, env):
        listen = f"127.0.0.1:{self.port}" if http else "off"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [str(program), "daemon", "--socket", str(self.path), "--listen", listen, "-v", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        try:
            wait_for(lambda: self.process.poll() is not None or "serving on" in self.log, what="the daemon")
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def connect(self, **options):
        return Connection(self.path, **options)

    def ask(self, **request):
        with self.connect() as connection:
            return connection.ask(**request)

    def processes(self):
        return {p["pid"]: p for p in self.ask(op="list")["processes"]}

    def wait_up(self, *pids):
        wait_for(lambda: all(self.processes().get(pid, {}).get("up") for pid in pids), what=f"{pids} to be up")

    def get(self, path, timeout=20, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=patience.seconds(timeout)) as answer:
            return answer.read().decode()

    def metrics(self):
        """{(name, ((label, value), …)): value}"""
        samples = {}
        for line in self.get("/metrics").splitlines():
            match = SAMPLE.match(line)
            if match:
                labels = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2])))
                assert (match[1], labels) not in samples, f"twice: {line}"
                samples[match[1], labels] = float(match[3])
        return samples

    def value(self, name, **labels):
        """The one sample of that name which has these labels among its own, or None."""
        wanted = {(k, str(v)) for k, v in labels.items()}
        found = [v for (n, have), v in self.metrics().items() if n == name and wanted <= set(have)]
        assert len(found) < 2, f"{len(found)} samples"
        return found[0] if found else None

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(patience.seconds(20))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode
