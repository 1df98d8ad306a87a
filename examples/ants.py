# SPDX-License-Identifier: BSD-2-Clause
"""A colony of worker ants, with and without slots.

ants.py dict|slots [COUNT]
"""

import sys


class Ant:
    def __init__(self, worker_id, role, colony):
        self.worker_id = worker_id
        self.role = role
        self.colony = colony


class AntSlots:
    __slots__ = ("worker_id", "role", "colony")

    def __init__(self, worker_id, role, colony):
        self.worker_id = worker_id
        self.role = role
        self.colony = colony


class Colony:
    def __init__(self, name, kind):
        self.name = name
        self.kind = kind
        self.ants = []

    def add_ant(self, worker_id, role):
        self.ants.append(self.kind(worker_id, role, self.name))


def build(variant, count):
    colony = Colony("Tinyopolis", {"dict": Ant, "slots": AntSlots}[variant])
    for n in range(count):
        colony.add_ant(f"W{n}", "Worker")
    return colony


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
    print("ready", flush=True)
    sys.stdin.readline()
