# SPDX-License-Identifier: BSD-2-Clause
"""Dicts that were large and lost most of their entries, as they are or copied.

emptied.py grown|copied [COUNT]
"""

import sys


def build(variant, count):
    kept = []
    for n in range(count):
        table = {key: n for key in range(200)}
        for key in range(190):
            del table[key]
        kept.append(dict(table.items()) if variant == "copied" else table)
    return kept


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
    print("ready", flush=True)
    sys.stdin.readline()
