# SPDX-License-Identifier: BSD-2-Clause
"""The same few words read again and again: a str object each time, or one of each.

words.py copies|interned [COUNT]
"""

import sys

WORDS = ["queen of the colony", "worker in the tunnels", "soldier at the gate", "nurse of the brood"]


def build(variant, count):
    text = "\n".join(WORDS[n % len(WORDS)] for n in range(count))
    if variant == "interned":
        return [sys.intern(line) for line in text.split("\n")]
    return text.split("\n")


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
    print("ready", flush=True)
    sys.stdin.readline()
