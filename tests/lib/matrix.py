# SPDX-License-Identifier: BSD-2-Clause
"""What a run says of each interpreter: how many tests passed with it, and whether what must be exact was."""

import collections
import json
import os
import pathlib

import capability
import interpreters

OUTCOMES = "passed", "failed", "skipped"
# Which tests say it.
EXACT = {"test_census.py": "census", "test_layouts.py": "layouts", "test_dict_layouts.py": "layouts"}


class Matrix:
    def __init__(self):
        self.counts = collections.defaultdict(collections.Counter)
        self.exact = collections.defaultdict(set)
        self.coverage = {}

    def add(self, item, report):
        """One phase of a test. Teardown counts only when it breaks; setup when it does anything but pass."""
        interpreter = getattr(getattr(item, "callspec", None), "params", {}).get("interpreter")
        if not interpreter or not (report.when == "call" or report.outcome != "passed"):
            return
        self.counts[interpreter.id][report.outcome] += 1
        if item.path.name in EXACT:
            self.exact[interpreter.id, EXACT[item.path.name]].add(report.outcome)
        self.coverage.update((interpreter.id, v) for name, v in report.user_properties if name == "events coverage")

    def save(self, directory):
        """For a run in several processes: each leaves a file, merge() reads them all."""
        exact = [[*key, sorted(outcomes)] for key, outcomes in self.exact.items()]
        said = {"counts": self.counts, "exact": exact, "coverage": self.coverage}
        (pathlib.Path(directory) / f"matrix-{os.getpid()}.json").write_text(json.dumps(said))

    def merge(self, directory):
        for path in pathlib.Path(directory).glob("matrix-*.json"):
            said = json.loads(path.read_text())
            for name, counts in said["counts"].items():
                self.counts[name].update(counts)
            for name, what, outcomes in said["exact"]:
                self.exact[name, what].update(outcomes)
            self.coverage.update(said["coverage"])

    def verdict(self, interpreter, what):
        outcomes = self.exact[interpreter.id, what]
        if "failed" in outcomes:
            return "WRONG"
        if "passed" not in outcomes:
            return "-"
        return "partly" if "skipped" in outcomes else "exact"

    def lines(self):
        for interpreter in interpreters.discover():
            counts = self.counts[interpreter.id]
            text = ", ".join(f"{counts[o]} {o}" for o in OUTCOMES) if counts else "not run"
            census, layouts = (self.verdict(interpreter, what) for what in ("census", "layouts"))
            coverage = self.coverage.get(interpreter.id, "-")
            yield (
                f"{interpreter.id:24} {text:36} census {census:6} layouts {layouts:6} events {coverage:8} "
                f"{interpreter.path}"
            )


def not_tested():
    for what, reason in (
        ("BPF", capability.why_no_bpf()),
        ("reading another process", capability.why_no_attach()),
    ):
        if reason:
            yield f"!! NOT TESTED: {what}: {reason}"
