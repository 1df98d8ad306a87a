# SPDX-License-Identifier: BSD-2-Clause
"""
A busy service: for each line of its input it answers some requests, of which much garbage comes, sessions that end
again, and results in a cache of limited size. With "leak" it also keeps a note of each request.

    while sleep 0.05; do echo; done | busy_service.py leak|cache [CACHE_SIZE [REQUESTS]]
"""

import collections
import json
import random
import sys


class Request:
    def __init__(self, number, body):
        self.number = number
        self.body = body


class Session:
    def __init__(self, owner):
        self.owner = owner
        self.basket = [f"item {owner} {n}" for n in range(owner % 7)]


class Result:
    def __init__(self, key, rows):
        self.key = key
        self.rows = rows


class Note:
    def __init__(self, request, outcome):
        self.number = request.number
        self.outcome = outcome


class Cache:
    """Forgets what was not used for longest."""

    def __init__(self, size):
        self.size = size
        self.kept = collections.OrderedDict()

    def get(self, key, make):
        if key in self.kept:
            self.kept.move_to_end(key)
        else:
            self.kept[key] = make(key)
        while len(self.kept) > self.size:
            self.kept.popitem(last=False)
        return self.kept[key]


def compute(key):
    return Result(key, [f"row {key} {n}" for n in range(10)])


variant = sys.argv[1]
cache = Cache(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
per_line = int(sys.argv[3]) if len(sys.argv) > 3 else 200
chance = random.Random(1)
sessions, notes = {}, []
served = 0
print("ready", flush=True)
for line in sys.stdin:
    for number in range(served, served + per_line):
        request = Request(number, json.loads(json.dumps({"id": number, "tags": ["a", str(number)]})))
        result = cache.get(chance.randrange(4 * cache.size), compute)
        if chance.random() < 0.3:
            sessions[number] = Session(number)
        if variant == "leak":
            notes.append(Note(request, result.key))
    served += per_line
    # Visitors leave in crowds.
    if len(sessions) > chance.randrange(500, 5_000):
        sessions.clear()
    print("done", flush=True)
