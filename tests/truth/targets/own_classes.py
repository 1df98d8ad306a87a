# SPDX-License-Identifier: BSD-2-Clause
"""Classes of every shape. Told to go, makes N instances of each; told to tell, says what it has, from raw memory.

Python 3.8 to 3.15. The classes exist before "ready" and have no instance; nothing touches an instance between
"made" and the census.
"""

import collections
import dataclasses
import enum
import functools
import json
import sys
import typing

import rawmem
from depot import things

N = 500
made = {}  # class -> its living instances


def shape(*classes):
    def register(make):
        makers.append((classes, make))
        return make

    return register


makers = []


class Plain:
    def __init__(self, i):
        self.a = i
        self.b = None
        self.c = None


class Late(Plain):
    pass


class SecondLate(Plain):
    pass


class Order:
    def __init__(self, i):
        if i % 2:
            self.x = self.y = i
        else:
            self.y = self.x = i


class Optional:
    def __init__(self, i):
        self.a = i
        if i % 3 == 0:
            self.sometimes = i
        self.z = None


class Deleted(Plain):
    pass


class AllDeleted(Plain):
    pass


class Nothing:
    pass


class Touched(Plain):
    pass


class Kept(Plain):
    pass


class ForeignKey(Plain):
    pass


class ForeignDict:
    pass


class Updated:
    def __init__(self, i):
        self.__dict__.update(a=i, b=None)


class Many:
    def __init__(self, i):
        for name in NAMES[:40]:
            setattr(self, name, None)


class Fresh(Plain):
    """Few instances: the early ones of 3.11 and later have more room than they need."""


class Dropped(Plain):
    pass


class Cached(Plain):
    @functools.cached_property
    def total(self):
        return None


class CachedBefore(Cached):
    pass


class CachedAfter(Cached):
    pass


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, i):
        self.a = i
        self.b = None


class SlotsInherited(Slots):
    __slots__ = ()


class SlotsMore(Slots):
    __slots__ = ("c",)


class SlotsLost(Slots):
    """No __slots__ of its own: it has a __dict__ again."""

    def late(self):
        self.d = None


class SlotsWeak:
    __slots__ = ("a", "__weakref__")


class SlotsDict:
    __slots__ = ("a", "__dict__")


class SlotsEmpty:
    __slots__ = ()


NAMES = ["n%02d" % i for i in range(80)]
Wide = type("Wide", (), {"__slots__": tuple(NAMES), "__module__": "__main__"})


@dataclasses.dataclass
class Data:
    a: int
    b: object = None


Pair = collections.namedtuple("Pair", "left right")


class Typed(typing.NamedTuple):
    left: int
    right: object


class Mapping(dict):
    pass


class Sequence(list):
    pass


class Number(int):
    pass


class Text(str):
    pass


class Row(tuple):
    pass


class Octets(bytes):
    pass


class Bytes(bytearray):
    pass


class Members(set):
    pass


class Ratio(float):
    pass


class Failure(Exception):
    pass


class BareMapping(dict):
    __slots__ = ()


class BareNumber(int):
    __slots__ = ()


class Meta(type):
    pass


class Outer:
    class Inner(Plain):
        pass


def local_class():
    class Local(Plain):
        pass

    return Local


Local, LocalToo = local_class(), local_class()


class Größe(Plain):
    pass


@shape(Plain, Outer.Inner, Local, LocalToo, Größe, things.Part, things.Part.Label, Data, Slots, SlotsInherited)
def simple(cls):
    return [cls(i) for i in range(N)]


@shape(Cached)
def cached(cls):
    return [cls(i) for i in range(N)]


@shape(Order, Optional, Updated, Many, SlotsLost)
def initialised(cls):
    return [cls(i) for i in range(N)]


@shape(Fresh)
def fresh(cls):
    return [cls(i) for i in range(15)]


@shape(Late)
def late(cls):
    objects = simple(cls)
    for o in objects[::2]:
        o.later = None
    return objects


@shape(SecondLate)
def second_late(cls):
    objects = simple(cls)
    for i, o in enumerate(objects):
        setattr(o, "one" if i % 3 else "other", None)
    return objects


@shape(Deleted)
def deleted(cls):
    objects = simple(cls)
    for o in objects[::3]:
        del o.b
    return objects


@shape(AllDeleted)
def all_deleted(cls):
    objects = simple(cls)
    for o in objects[::3]:
        del o.a, o.b, o.c
    return objects


@shape(Nothing, SlotsEmpty, SlotsWeak, SlotsMore)
def bare(cls):
    arguments = (None,) if cls is SlotsMore else ()
    return [cls(*arguments) for i in range(N)]


@shape(SlotsDict)
def slots_dict(cls):
    objects = [cls() for i in range(N)]
    for o in objects[::2]:
        o.b = None
    return objects


@shape(Wide)
def wide(cls):
    return [cls() for i in range(N)]


@shape(Touched)
def touched(cls):
    objects = simple(cls)
    for o in objects[::2]:
        vars(o)
    return objects


dicts_kept = []


@shape(Kept)
def kept(cls):
    objects = simple(cls)
    dicts_kept.extend(o.__dict__ for o in objects[::4])
    return objects


@shape(ForeignKey)
def foreign_key(cls):
    objects = simple(cls)
    for o in objects[::5]:
        o.__dict__[1] = None
    return objects


@shape(ForeignDict)
def foreign_dict(cls):
    objects = [cls() for i in range(N)]
    for o in objects:
        o.__dict__ = {"a": None, "b": None}
    return objects


@shape(Dropped)
def dropped(cls):
    objects = [cls(i) for i in range(2 * N)]
    del objects[::2]
    return objects


@shape(CachedBefore)
def cached_before(cls):
    objects = []
    for i in range(N):
        objects.append(cls(i))
        objects[-1].total
    return objects


@shape(CachedAfter)
def cached_after(cls):
    objects = simple(cls)
    for o in objects[::2]:
        o.total
    return objects


@shape(Pair, Typed)
def named_tuple(cls):
    return [cls(None, i) for i in range(N)]


def with_attributes(objects):
    for o in objects[::2]:
        o.a = o.b = None
    return objects


@shape(Mapping)
def mapping(cls):
    return with_attributes([cls(x=i, y=i) if i % 3 else cls() for i in range(N)])


@shape(Sequence)
def sequence(cls):
    return with_attributes([cls([None] * (i % 5)) for i in range(N)])


@shape(Number, Ratio)
def number(cls):
    return with_attributes([cls(i) for i in range(N)])


@shape(Text)
def text(cls):
    return with_attributes([cls("text %d" % i) for i in range(N)])


@shape(Row, Octets, Bytes)
def row(cls):
    return with_attributes([cls([i % 7] * (i % 4)) for i in range(N)])


@shape(Members)
def members(cls):
    return with_attributes([cls(range(i % 20)) for i in range(N)])


@shape(Failure)
def failure(cls):
    return with_attributes([cls() for i in range(N)])


@shape(BareMapping)
def bare_mapping(cls):
    return [cls() for i in range(N)]


@shape(BareNumber)
def bare_number(cls):
    return [cls(i) for i in range(N)]


@shape(Meta)
def classes(cls):
    return [cls("Made%d" % i, (), {}) for i in range(50)]


if sys.version_info >= (3, 10):

    @dataclasses.dataclass(slots=True)
    class DataSlots:
        a: int
        b: object = None

    shape(DataSlots)(simple)

print("ready", flush=True)
sys.stdin.readline()
for kinds, make in makers:
    for kind in kinds:
        made[kind] = make(kind)
members_of_enum = enum.Enum("Colour", ["C%d" % i for i in range(60)], module=__name__)
made[members_of_enum] = list(members_of_enum)
print("made", flush=True)
sys.stdin.readline()
print(json.dumps([rawmem.facts(kind, objects) for kind, objects in made.items()]), flush=True)
sys.stdin.readline()
