# SPDX-License-Identifier: BSD-2-Clause
"""sizeof_bytes of hundreds of types against sys.getsizeof(), asked in the target of 200 objects of each."""

import json
import pathlib

import books
import pytest
from target import Target

PROGRAM = pathlib.Path(__file__).parent / "targets" / "many_types.py"
# Of these there are some that nothing in the target leads to, and they are of many sizes: test_census.py counts them.
UNSEEN = {"builtins." + name for name in "bytes dict int str tuple code frame type".split()}
NONE = {"inuse_objects": 0, "sizeof_bytes": 0}


def grown(before, after, address):
    old, new = (books.rows(p).get(address, NONE) for p in (before, after))
    return new["inuse_objects"] - old["inuse_objects"], new["sizeof_bytes"] - old["sizeof_bytes"]


def agrees(got, made, every):
    """Either with those that were made, or with all that the collector leads to: makers make other objects too."""
    _, count, size, sizes = made
    alike = len(sizes) == 1 and got[0] >= count and got[1] == got[0] * sizes[0]
    return alike or got in ((count, size), every)


def test_types_have_their_sizeof(pymemtop, interpreter, can_attach):
    if interpreter.musl:
        pytest.skip("no truth: what is over 512 bytes is not seen")
    with Target(interpreter, PROGRAM) as target:
        all_before = json.loads(target.ask("all"))
        before = pymemtop.json("snapshot", target.pid)
        failed = json.loads(target.ask("make", timeout=120))
        after = pymemtop.json("snapshot", target.pid)
        all_after = json.loads(target.ask("all"))
        made = json.loads(target.ask("tell"))
    print("not made:", failed)
    assert len(failed) < 20
    # Up to 3.9 the collector does not know what struct.pack() and its like keep of formats.
    unseen = UNSEEN | ({"_struct.Struct"} if interpreter.version_info < (3, 10) else set())
    wrong, names = [], set()
    for address, fact in made.items():
        old, new = (rows.get(address, [fact[0], 0, 0]) for rows in (all_before, all_after))
        every = new[1] - old[1], new[2] - old[2]
        names.add(fact[0])
        if fact[0] not in unseen and not agrees(grown(before, after, address), fact, every):
            wrong.append(f"{fact[0]}: snapshot {grown(before, after, address)}, made {tuple(fact[1:])}, all {every}")
    assert not wrong, "\n" + "\n".join(sorted(wrong)[:40])
    assert len(names) > 300 and {"itertools.product", "_pickle.Unpickler", "_ctypes.PyCSimpleType"} <= names
