# SPDX-License-Identifier: BSD-2-Clause
"""A table read all at once or in chunks; looked at while the last part of it is in memory.

chunks.py all|chunks|pandas_all|pandas_chunks [ROWS]    With the csv module, or with pandas where it is installed.
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
    with open(path, newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        while True:
            chunk = list(itertools.islice(rows, CHUNK))
            if not chunk:
                return
            yield chunk


def read_all(path):
    with open(path, newline="") as lines:
        return list(csv.reader(lines))


def build(variant, rows):
    handle, path = tempfile.mkstemp(suffix=".csv")
    os.close(handle)
    try:
        write_table(path, rows)
        if variant == "all":
            return read_all(path)
        if variant == "pandas_all":
            return pandas.read_csv(path)
        for chunk in chunks_of(path) if variant == "chunks" else pandas.read_csv(path, chunksize=CHUNK):
            last = chunk
        return last
    finally:
        os.unlink(path)


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
    print("ready", flush=True)
    sys.stdin.readline()
