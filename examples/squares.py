# SPDX-License-Identifier: BSD-2-Clause
"""Many numbers as a list, or one after the other from a generator; looked at in the middle of the work.

squares.py list|generator [COUNT]
"""

import sys


def build(variant, count):
    if variant == "list":
        numbers = [n * n for n in range(count)]
    else:
        numbers = (n * n for n in range(count))
    walk = iter(numbers)
    total = 0
    for _ in range(count // 2):
        total += next(walk)
    return total, walk, numbers


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500_000)
    print("ready", flush=True)
    sys.stdin.readline()
