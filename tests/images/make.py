#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Captures small heaps for the unit tests, with what their interpreters said of themselves: VERSION.img.gz, VERSION.json.

usage: make.py CAPTURE [PREFIX...]: of each discovered interpreter whose name ("3.11.2-static") begins with one of the
prefixes, or of one shared 3.8, 3.11, 3.13 and one static 3.11.
"""

import gzip
import json
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import interpreters  # noqa: E402


def wanted(prefixes):
    if prefixes:
        return [i for i in interpreters.discover() if i.id.startswith(tuple(prefixes))]
    chosen = {}
    for i in interpreters.discover():
        key = (i.version_info[:2], i.shared)
        if key in {((3, 8), True), ((3, 11), True), ((3, 11), False), ((3, 13), True)} and i.gil and not i.debug and not i.root:
            chosen.setdefault(key, i)
    return list(chosen.values())


def books(text):
    """What sys._debugmallocstats() says; its last arena count is the current one."""

    def number(label):
        return int(re.findall(rf"^# {label} +=? +([\d,]+)$", text, re.M)[-1].replace(",", ""))

    return {"allocated_bytes": number("bytes in allocated blocks"), "arenas": number("arenas allocated current")}


def make(capture, interpreter):
    image, truth = HERE / f"{interpreter.id}.img.gz", HERE / f"{interpreter.id}.json"
    image.unlink(missing_ok=True)
    sample = subprocess.Popen(
        [*interpreter.command, "-I", "-S", "-E", "-c", (HERE / "sample.py").read_text()],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},  # nothing of ours gets into the image
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        answer = {"version": interpreter.version, "types": json.loads(sample.stdout.readline())}
        answer.update(books(sample.stderr.read().decode()))
        time.sleep(0.2)  # until it waits
        subprocess.run([capture, str(sample.pid), image], check=True)
        image.write_bytes(gzip.compress(gzip.decompress(image.read_bytes()), 9, mtime=0))
        truth.write_text(json.dumps(answer, indent=1) + "\n")
        print(f"{image.name}: {image.stat().st_size} bytes")
    finally:
        sample.stdin.close()
        sample.wait()


if __name__ == "__main__":
    for interpreter in wanted(sys.argv[2:]):
        make(pathlib.Path(sys.argv[1]).resolve(), interpreter)
