# SPDX-License-Identifier: BSD-2-Clause
"""All objects get two more attributes when all of them exist already; or __init__ makes these too.

marked_later.py late|init [COUNT]
"""

import sys


class Order:
    def __init__(self, n):
        self.number = self.customer = self.article = self.amount = self.price = n


class OrderInit:
    def __init__(self, n):
        self.number = self.customer = self.article = self.amount = self.price = n
        self.checked = None
        self.shipped = None


def build(variant, count):
    kind = {"late": Order, "init": OrderInit}[variant]
    orders = [kind(n) for n in range(count)]
    for order in orders:
        order.checked = True
        order.shipped = False
    return orders


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50_000)
    print("ready", flush=True)
    sys.stdin.readline()
