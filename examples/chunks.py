# SPDX-License-Identifier: BSD-2-Clause
"""A table read all at once or in chunks; looked at while the last part of it is in memory.

chunks.py all|chunks [ROWS]    With pandas where it is installed, else with csv; the ready line says which.
"""

import csv
import itertools
import os
import sys
import tempfile

try:
    import pandas
except ImportError:
    pandas = None

CHUNK = 1000


def write_table(path, rows):
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["number", "name", "value"])
        for n in range(rows):
            writer.writerow([n, f"name {n}", n * 0.5])


def chunks_of(path):
    """A generator of parts of the table."""
    if pandas:
        yield from pandas.read_csv(path, chunksize=CHUNK)
        return
    with open(path, newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        while True:
            chunk = list(itertools.islice(rows, CHUNK))
            if not chunk:
                return
            yield chunk


def read_all(path):
    if pandas:
        return pandas.read_csv(path)
    with open(path, newline="") as lines:
        return list(csv.reader(lines))


def build(variant, rows):
    handle, path = tempfile.mkstemp(suffix=".csv")
    os.close(handle)
    try:
        write_table(path, rows)
        if variant == "all":
            return read_all(path)
        for chunk in chunks_of(path):
            last = chunk
        return last
    finally:
        os.unlink(path)


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
    print("ready", "pandas" if pandas else "csv", flush=True)
    sys.stdin.readline()
