# SPDX-License-Identifier: BSD-2-Clause
"""Why instances own their keys, as advice says it, and what it saves to do as it says: held against the interpreter."""

import pytest

COUNT = 20_000
TAIL = f"""
made = [C(i) for i in range({COUNT})]
print("ready", flush=True)
input()
"""
PLAIN = """
class C:
    def __init__(self, i):
        self.a = i
        self.b = None
"""
WHOLE = "used as a dict"

# What is done, what it would be, and by (first, last) version what the advice says of the cause; other versions share.
CASES = {
    "deleted_in_init": (
        "class C:\n    def __init__(self, i):\n        self.a = i\n        self.temporary = i\n        self.b = None\n"
        "        del self.temporary\n",
        PLAIN,
        {(8, 10): "delete none"},
    ),
    "update": ("class C:\n    def __init__(self, i):\n        self.__dict__.update(a=i, b=None)\n", PLAIN, {(10, 12): WHOLE}),
    "update_in_two_orders": (
        "class C:\n    def __init__(self, i):\n        self.__dict__.update({'a': i, 'b': None} if i % 2 else {'b': i, 'a': None})\n",
        PLAIN,
        {(8, 12): WHOLE},
    ),
    "replaced": ("class C:\n    def __init__(self, i):\n        self.__dict__ = {'a': i, 'b': None}\n", PLAIN, {(8, 15): WHOLE}),
    "key_by_key": ("class C:\n    def __init__(self, i):\n        vars(self)['a'] = i\n        vars(self)['b'] = None\n", PLAIN, {}),
    "taken_out": (
        "class C:\n    def __init__(self, i):\n        self.a = self.b = self.c = i\n        self.__dict__.pop('c')\n",
        PLAIN,
        {(8, 10): WHOLE},
    ),
    "in_two_orders": (
        "class C:\n    def __init__(self, i):\n        if i % 2: self.a = i; self.b = None\n        else: self.b = i; self.a = None\n",
        PLAIN,
        {(8, 10): "in different order"},
    ),
    "not_in_all": (
        "class C:\n    def __init__(self, i):\n        self.a = i\n        if i % 2: self.some = 1\n        self.b = None\n",
        PLAIN.replace("        self.b", "        self.some = None\n        self.b"),
        {(8, 10): "some came after __init__, or not in all of them"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_cause_and_saving_are_true(pymemtop, interpreter, start_target, can_attach, case):
    source, followed, causes = CASES[case]
    target = start_target(interpreter, source + TAIL)
    advice = pymemtop.json("advise", "--format", "json", "--all", target.pid)["advice"]
    found = [a for a in advice if (a["kind"], a["type"]) == ("unshared_keys", "__main__.C")]
    expected = [words for (first, last), words in causes.items() if first <= interpreter.version_info[1] <= last]
    assert len(found) == len(expected), found
    if not found:
        return
    assert expected[0] in found[0]["detail"]
    before = pymemtop.json("snapshot", target.pid)["memory"]["python_inuse_bytes"]
    after = pymemtop.json("snapshot", start_target(interpreter, followed + TAIL).pid)["memory"]["python_inuse_bytes"]
    assert found[0]["saves_bytes"] == pytest.approx(before - after, rel=0.05)
