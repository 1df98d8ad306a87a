# SPDX-License-Identifier: BSD-2-Clause
"""Two results each object computes only when asked for: before and after that, and with room made in __init__.

lazy.py before|after|property [COUNT]
"""

import sys
from functools import cached_property


class Loader:
    def __init__(self, path):
        self.path = path
        self.first = self.last = None

    @cached_property
    def size(self):
        return len(self.path)

    @cached_property
    def folder(self):
        return self.path


class LoaderProperty:
    def __init__(self, path):
        self.path = path
        self.first = self.last = None
        self._size = None
        self._folder = None

    @property
    def size(self):
        if self._size is None:
            self._size = len(self.path)
        return self._size

    @property
    def folder(self):
        if self._folder is None:
            self._folder = self.path
        return self._folder


def build(variant, count):
    kind = LoaderProperty if variant == "property" else Loader
    loaders = [kind("data.csv") for _ in range(count)]
    if variant != "before":
        for loader in loaders:
            loader.size, loader.folder
    return loaders


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50_000)
    print("ready", flush=True)
    sys.stdin.readline()
