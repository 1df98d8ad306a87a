# SPDX-License-Identifier: BSD-2-Clause
"""Two threads make and drop objects as fast as they can; some are never touched. Python 3.8 to 3.15."""

import threading


class Still:
    def __init__(self, i):
        self.a = i
        self.b = None


class Slots:
    __slots__ = ("a",)


class Moving(Still):
    pass


still = [Still(i) for i in range(20000)]
slots = [Slots() for i in range(20000)]
rows = [[None] * 3 for i in range(20000)]


def move():
    kept, turn = {}, 0
    while True:
        turn += 1
        slot = turn * 7919 % 5000
        kept[slot] = [Moving(turn), "text %d" % turn, {turn: (turn, 1.5)}, [None] * (turn % 200), b"x" * (turn % 900)]
        if turn % 3 == 0:
            kept.pop(turn * 31 % 5000, None)
        if turn % 20000 == 0:
            kept.clear()


for _ in range(2):
    threading.Thread(target=move, daemon=True).start()
print("ready", flush=True)
input()
