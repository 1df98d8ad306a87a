# SPDX-License-Identifier: BSD-2-Clause
"""One object gets an attribute of its own, all others another one after __init__; or __init__ makes them all.

late_attribute.py late|init [COUNT]
"""

import sys


class Foo:
    def __init__(self, n):
        self.aaaaa = self.bbbbb = self.ccccc = self.ddddd = self.eeeee = self.fffff = self.ggggg = n


class FooInit:
    def __init__(self, n):
        self.aaaaa = self.bbbbb = self.ccccc = self.ddddd = self.eeeee = self.fffff = self.ggggg = n
        self.y = None
        self.z = None


def build(variant, count):
    kind = {"late": Foo, "init": FooInit}[variant]
    first = kind(0)
    first.y = 9
    data = [first]
    for n in range(count):
        foo = kind(n)
        foo.z = 1
        data.append(foo)
    return data


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50_000)
    print("ready", flush=True)
    sys.stdin.readline()
