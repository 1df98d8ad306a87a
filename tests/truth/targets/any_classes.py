# SPDX-License-Identifier: BSD-2-Clause
"""
Classes as nobody would write them on purpose: any_classes.py SEED. Bases, slots, attributes and what is done to them are
by chance; the same seed makes the same ones. Says "ready", and for a line {address of a class: [instances, bytes as
sys.getsizeof has them]}. Nothing of an instance is looked at before that: to look at a __dict__ makes one.
"""

import array
import collections
import copy
import dataclasses
import gc
import json
import random
import sys
import types
import weakref

BASES = [object] * 8 + [
    dict, list, str, int, tuple, float, bytes, bytearray, set, frozenset, complex, type, BaseException, Exception, KeyError, OSError,
    StopIteration, array.array, types.ModuleType, collections.deque, collections.OrderedDict, collections.defaultdict,
    collections.Counter,
]
VARIABLE = int, tuple, bytes, type  # have no room for slots with names
chance = random.Random(int(sys.argv[1]))
kept = []


def name():
    return "".join(chance.choice("abcdefgh_") for _ in range(chance.randint(1, 8))) + str(chance.randint(0, 9))


def value():
    return chance.choice([
        lambda: None,
        lambda: chance.getrandbits(chance.randint(1, 300)),
        lambda: name() * 3,
        lambda: "\u20ac" * chance.randint(1, 40),
        lambda: [1] * chance.randint(0, 20),
        lambda: {name(): 1 for _ in range(chance.randint(0, 9))},
        lambda: b"x" * chance.randint(0, 700),
    ])()


def make_class(number, parents):
    base = chance.choice(parents) if parents and chance.random() < 0.4 else chance.choice(BASES)
    names = () if issubclass(base, VARIABLE) else tuple({name() for _ in range(chance.randint(1, 9))})
    slots = chance.choice([None, None, None, (), names, ("__dict__",), ("__weakref__",), ("__dict__", *names)])
    body = {} if slots is None else {"__slots__": slots}
    if chance.random() < 0.2:
        body["method"] = lambda self: self
    try:
        return type(f"C{number}", (base,), body)
    except TypeError:  # two parents' layouts, a slot that is there already
        return None


MAKERS = (  # the first that fits
    (type, lambda kind: kind(name(), (), {})),
    (int, lambda kind: kind(chance.getrandbits(chance.randint(1, 200)))),
    (str, lambda kind: kind(chance.choice(["x", "\xe9", "\u20ac", "\U0001f40d"]) * chance.randint(0, 50))),
    ((bytes, bytearray), lambda kind: kind(b"y" * chance.randint(0, 600))),
    ((tuple, list, set, frozenset, collections.deque), lambda kind: kind(range(chance.randint(0, 90)))),
    (collections.defaultdict, lambda kind: kind(int, {n: n for n in range(chance.randint(0, 30))})),
    (dict, lambda kind: kind({name(): n for n in range(chance.randint(0, 30))})),
    (array.array, lambda kind: kind("d", [1.0] * chance.randint(0, 90))),
    (types.ModuleType, lambda kind: kind("module")),
    (BaseException, lambda kind: kind(*range(chance.randint(0, 3)))),
    (object, lambda kind: kind()),
)

DEEDS = (
    lambda it, names: None,
    lambda it, names: delattr(it, chance.choice(names)),
    lambda it, names: it.__dict__,
    lambda it, names: vars(it).update({name(): 1}),
    lambda it, names: it.__dict__.__setitem__(1, 2),
    lambda it, names: setattr(it, "__dict__", {"a": 1}),
    lambda it, names: it.__dict__.clear(),
    lambda it, names: kept.append(it.__dict__),
    lambda it, names: kept.append(weakref.ref(it)),
    lambda it, names: kept.append(copy.copy(it)),
)


def attempt(deed, *arguments):
    try:
        return deed(*arguments)
    except (AttributeError, TypeError, IndexError, KeyError, ValueError):  # not every class can do everything
        return None


def make_instances(kind):
    maker = next(maker for base, maker in MAKERS if issubclass(kind, base))
    usual = [name() for _ in range(chance.choice([0, 1, 3, 6, 6, 6, 35]))]
    deeds = chance.choice([DEEDS[:1], DEEDS[:2], (DEEDS[0], *DEEDS[2:4]), DEEDS, DEEDS[5:6], DEEDS[:1] * 20 + DEEDS[4:5]])
    made = []
    for _ in range(chance.choice([1, 3, 30, 200])):
        made.append(maker(kind))
        names = chance.sample(usual, chance.randint(0, len(usual))) if chance.random() < 0.1 else usual
        for attribute in [*names, *(s for s in kind.__dict__.get("__slots__", ()) if chance.random() < 0.6 and s[0] != "_")]:
            attempt(setattr, made[-1], attribute, value())
        attempt(chance.choice(deeds), made[-1], names)
    return made


def make():
    classes, instances = [], []
    for number in range(chance.randint(10, 40)):
        kind = make_class(number, classes)
        if kind:
            classes.append(kind)
            instances += make_instances(kind)
    for it in instances:
        if chance.random() < 0.02:
            attempt(setattr, it, "__class__", chance.choice(classes))
    flat = dataclasses.make_dataclass("Flat", [("number", int), ("text", str, "a")])
    pair = collections.namedtuple("Pair", "first second")
    instances += [flat(n) for n in range(50)] + [pair(n, None) for n in range(50)]
    return {*classes, flat, pair}, instances


def main():
    classes, instances = make()
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()
    told = collections.defaultdict(lambda: [0, 0])
    for it in {id(it): it for it in instances + kept}.values():
        if type(it) in classes:
            told[hex(id(type(it)))][0] += 1
            told[hex(id(type(it)))][1] += sys.getsizeof(it)
    print(json.dumps(told), flush=True)
    sys.stdin.readline()


main()
