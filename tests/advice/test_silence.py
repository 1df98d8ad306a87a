# SPDX-License-Identifier: BSD-2-Clause
"""No advice where there is nothing to gain, or where following it would break the program."""

import re

import pytest

COUNT = 20_000
HEAD = "import sys, weakref, collections, enum, abc, functools, types\n"
TAIL = f"\nkept = [make(n) for n in range({COUNT})]\nprint('ready', flush=True)\ninput()\n"


def about(pymemtop, start_target, interpreter, source, kind="slots", flags=()):
    """The advice of that kind about __main__.Thing."""
    target = start_target(interpreter, HEAD + source + TAIL)
    advice = pymemtop.json("advise", "--format", "json", *flags, target.pid)["advice"]
    return [a for a in advice if a["kind"] == kind and a["type"] == "__main__.Thing"]


PLAIN = """
class Thing:
    def __init__(self, n):
        self.a = self.b = n
make = Thing
"""

NO_SLOTS = {
    "slotted": "class Thing:\n    __slots__ = 'a', 'b'\n    def __init__(self, n): self.a = self.b = n\nmake = Thing",
    "slotted_all_the_way_up": "class Base:\n    __slots__ = ('a',)\nclass Thing(Base):\n    __slots__ = ('b',)\n"
    "    def __init__(self, n): self.a = self.b = n\nmake = Thing",
    "instances_differ": "class Thing:\n    def __init__(self, n):\n        self.a = n\n        if n % 2: self.b = n\nmake = Thing",
    "one_in_a_hundred_differs": "class Thing:\n    def __init__(self, n):\n        self.a = n\n        if n % 100: self.b = n\n"
    "make = Thing",
    "same_number_other_names": "class Thing:\n    def __init__(self, n):\n        self.a = n\n        if n % 2: self.b = n\n"
    "        else: self.c = n\nmake = Thing",
    "weakly_referenced": PLAIN.replace("make = Thing", "refs = []\ndef make(n):\n    t = Thing(n)\n"
    "    refs.append(weakref.ref(t))\n    return t"),
    "cached_property": "class Thing:\n    def __init__(self, n): self.a = self.b = n\n    @functools.cached_property\n"
    "    def c(self): return 1\nmake = Thing",
    "cached_property_in_a_base": "class Base:\n    @functools.cached_property\n    def c(self): return 1\n"
    "class Thing(Base):\n    def __init__(self, n): self.a = self.b = n\nmake = Thing",
    "exception": "class Thing(Exception):\n    def __init__(self, n): self.a = self.b = n\nmake = Thing",
    "tuple_subclass": "class Thing(tuple):\n    pass\ndef make(n):\n    t = Thing((n,))\n    t.a = n\n    return t",
    "int_subclass": "class Thing(int):\n    pass\ndef make(n):\n    t = Thing(n)\n    t.a = n\n    return t",
    "mixin_with_dict": "class Base:\n    pass\nclass Mixin:\n    pass\nclass Thing(Base, Mixin):\n"
    "    def __init__(self, n): self.a = self.b = n\nmake = Thing",
    "enum": "Thing = enum.Enum('Thing', ['m%d' % n for n in range(3000)])\nmembers = list(Thing)\n"
    "make = lambda n: members[n % 3000]",
    "keys_that_are_no_names": "class Thing:\n    def __init__(self, n):\n        self.a = n\n        self.__dict__[n] = n\nmake = Thing",
}


def test_plain_class_has_advice(pymemtop, interpreter, start_target, can_attach):
    """The counterpart of all below: so it is not silence that makes them pass."""
    (advice,) = about(pymemtop, start_target, interpreter, PLAIN)
    assert advice["objects"] == COUNT
    assert "a, b" in advice["detail"]


@pytest.mark.parametrize("what", NO_SLOTS)
def test_no_slots_for(pymemtop, interpreter, start_target, can_attach, what):
    assert about(pymemtop, start_target, interpreter, NO_SLOTS[what], flags=["--all"]) == []


def test_dict_in_use_is_needed(pymemtop, interpreter, start_target, can_attach):
    if interpreter.version_info < (3, 11):
        pytest.skip("up to 3.10 every instance has a dict object, used or not")
    source = PLAIN.replace("make = Thing", "def make(n):\n    t = Thing(n)\n    vars(t)\n    return t")
    assert about(pymemtop, start_target, interpreter, source) == []


def test_bases_are_named(pymemtop, interpreter, start_target, can_attach):
    source = "class Base:\n    pass\nclass Thing(Base):\n    def __init__(self, n): self.a = self.b = n\nmake = Thing"
    (advice,) = about(pymemtop, start_target, interpreter, source)
    assert "__main__.Base" in advice["detail"]


def test_small_classes_only_when_asked(pymemtop, interpreter, start_target, can_attach):
    source = PLAIN.replace("make = Thing", "things = [Thing(n) for n in range(100)]\nmake = bytearray")
    assert about(pymemtop, start_target, interpreter, source) == []
    (advice,) = about(pymemtop, start_target, interpreter, source, flags=["--all"])
    assert advice["objects"] == 100 and advice["saves_bytes"] > 0


def test_lists_that_were_long_once(pymemtop, interpreter, start_target, can_attach):
    """Their items lie in malloc still, which gives no fewer than 32 bytes and 8 more of its own."""
    if interpreter.musl or not interpreter.gil:
        pytest.skip("no glibc chunks")
    source = HEAD + f"""
kept = [list(range(100)) for n in range({COUNT})]
for k in kept:
    del k[3:]
print("ready", flush=True)
input()
kept = [list(k) for k in kept]
print("copied", flush=True)
input()
"""
    target = start_target(interpreter, source)
    advice = pymemtop.json("advise", "--format", "json", target.pid)["advice"]
    (found,) = [a for a in advice if a["kind"] == "overcapacity" and a["type"] == "list"]
    before = pymemtop.json("snapshot", target.pid)["memory"]["python_inuse_bytes"]
    assert target.ask("copy") == "copied"
    after = pymemtop.json("snapshot", target.pid)["memory"]["python_inuse_bytes"]
    assert found["saves_bytes"] == pytest.approx(before - after, rel=0.05)


def test_shared_keys_are_no_trouble(pymemtop, interpreter, start_target, can_attach):
    assert about(pymemtop, start_target, interpreter, PLAIN, kind="unshared_keys", flags=["--all"]) == []


def test_late_names_are_named(pymemtop, interpreter, start_target, can_attach):
    source = """
class Thing:
    def __init__(self, n):
        self.a = self.b = self.c = self.d = self.e = n
make = Thing
early = [Thing(n) for n in range(100)]
def make(n):
    t = Thing(n)
    t.first_late, t.second_late, t.third_late = n, n, n
    return t
"""
    found = about(pymemtop, start_target, interpreter, source, kind="unshared_keys")
    assert len(found) == 1 and "_late" in found[0]["detail"]


@pytest.mark.parametrize("flags", [(), ("-i",)])
def test_no_advice_on_an_idle_repl(pymemtop, interpreter, start_target, can_attach, flags):
    target = start_target(interpreter, "print('ready', flush=True)\ninput()\n", options=flags)
    assert pymemtop.json("advise", "--format", "json", target.pid)["advice"] == []
    assert pymemtop.json("snapshot", target.pid)["advice"] == []


def test_values_only_when_asked(pymemtop, interpreter, start_target, can_attach):
    secret = "this stands in many strs"
    source = HEAD + f"words = '\\n'.join([{secret!r}] * 30000).split('\\n')\nprint('ready', flush=True)\ninput()\n"
    target = start_target(interpreter, source)

    def detail(*flags):
        (found,) = [a for a in pymemtop.json("advise", "--format", "json", *flags, target.pid)["advice"]
                    if a["kind"] == "duplicate_strings"]
        assert found["objects"] == pytest.approx(29_999, rel=0.1)
        return found["detail"]

    assert secret not in detail()
    assert secret in detail("--values")
    plain = pymemtop.json("snapshot", target.pid)["advice"]
    assert "duplicate_strings" not in {a["kind"] for a in plain}
    asked = pymemtop.json("snapshot", "--duplicates", target.pid)["advice"]
    assert "duplicate_strings" in {a["kind"] for a in asked}


def test_long_strs_are_compared_whole(pymemtop, interpreter, start_target, can_attach):
    """Documents that differ in their last character only, at sizes of each kind of chunk, and copies of them."""
    source = HEAD + """
sizes = (600, 5_000, 70_000, 300_000)
kept = [("%0*d" % (size, n // 2))[:] for size in sizes for n in range(20)]
print('ready', sum(sys.getsizeof(kept[i]) for i in range(0, len(kept), 2)), flush=True)
input()
"""
    target = start_target(interpreter, source)
    expected = int(target.ready)
    (found,) = [a for a in pymemtop.json("snapshot", "--duplicates", target.pid)["advice"]
                if a["kind"] == "duplicate_strings"]
    # Blocks are larger than what is in them: mimalloc's by up to an eighth.
    assert 0.95 * expected < found["saves_bytes"] < 1.15 * expected
    assert "could not be read" not in found["detail"]


def test_fragmentation(pymemtop, interpreter, start_target, can_attach):
    if not interpreter.gil:
        pytest.skip("free-threaded builds have no pymalloc")
    source = HEAD + "many = [(n, str(n)) for n in range(400000)]\nmany = many[::200]\nprint('ready', flush=True)\ninput()\n"
    target = start_target(interpreter, source)
    advice = pymemtop.json("advise", "--format", "json", target.pid)["advice"]
    (found,) = [a for a in advice if a["kind"] == "fragmentation" and "pymalloc" in a["detail"]]
    assert found["type"] is None and found["saves_bytes"] > 4 * 2**20
    assert re.search(r"of the [\d.]+ MiB that pymalloc holds are free", found["detail"])
