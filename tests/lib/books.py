# SPDX-License-Identifier: BSD-2-Clause
"""What holds in every snapshot, whatever the program: the books of the contract."""

import pytest

# 3.8's parser keeps look-up tables of its grammar that belong to no object (Parser/acceler.c, fixstate): always as many.
GRAMMAR_3_8 = 37_000

PARTS = {"object", "dict", "dict_keys", "dict_values", "buffer"}
STORAGE = {"inline", "split", "combined", "general", "slots", "none"}
LAYOUTS = {"split", "unicode", "general", "empty"}
OWNERS = {"instance", "module", "type", "plain"}


def rows(snapshot):
    """Rows by address: names need not be unique."""
    return {row["address"]: row for row in snapshot["types"]}


def named(snapshot, name):
    """The one row of that name."""
    found = [row for row in snapshot["types"] if row["name"] == name]
    assert len(found) == 1, f"{len(found)} rows of {name}"
    return found[0]


def is_whole(snapshot):
    """Nothing was left out; under another malloc than glibc's, nothing but what is told."""
    reasons = snapshot["partial_reasons"]
    if snapshot["memory"]["malloc"]["name"] is None:
        return len(reasons) == 1 and "over 512 bytes are not seen" in reasons[0]
    return not reasons


def check_rows(snapshot):
    for row in snapshot["types"]:
        assert set(row["bytes"]) == PARTS and set(row["storage"]) == STORAGE
        assert sum(row["bytes"].values()) == row["inuse_bytes"], row
        assert sum(row["storage"].values()) == row["inuse_objects"], row
        numbers = [row["inuse_objects"], row["sizeof_bytes"], *row["bytes"].values(), *row["storage"].values()]
        assert min(numbers) >= 0, row
    sizes = [row["inuse_bytes"] for row in snapshot["types"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(rows(snapshot)) == len(snapshot["types"]), "a type has two rows"


def in_python_allocator(snapshot):
    """Bytes in use that lie in pymalloc or mimalloc, by the rows; None where what malloc holds is not known."""
    memory = snapshot["memory"]
    assert memory["python_inuse_bytes"] == sum(row["inuse_bytes"] for row in snapshot["types"])
    if memory["malloc"]["heap_bytes"] is None:
        assert memory["malloc"]["heap_bytes"] is None and memory["resident"]["native_live_bytes"] is None
        assert memory["other_bytes"] > 0
        return None
    return memory["python_inuse_bytes"] - memory["malloc"]["python_bytes"] + snapshot["unattributed"]["bytes"]


def check_pymalloc(snapshot):
    heap = snapshot["memory"]["pymalloc"]
    inuse = in_python_allocator(snapshot)
    assert inuse is None or heap["inuse_bytes"] == inuse
    parts = "inuse_bytes", "free_block_bytes", "free_pool_bytes", "overhead_bytes"
    assert heap["arena_bytes"] == sum(heap[part] for part in parts)
    classes = heap["size_classes"]
    assert heap["inuse_bytes"] == sum(c["size_bytes"] * c["inuse_blocks"] for c in classes)
    assert heap["free_block_bytes"] == sum(c["size_bytes"] * c["free_blocks"] for c in classes)
    assert all(c["pools_count"] > 0 and c["inuse_blocks"] >= 0 and c["free_blocks"] >= 0 for c in classes)


def check_mimalloc(snapshot):
    pymalloc, heap = snapshot["memory"]["pymalloc"], snapshot["memory"]["mimalloc"]
    assert not any(value for value in pymalloc.values())  # null, and no size classes
    assert heap["inuse_bytes"] == in_python_allocator(snapshot)
    parts = "inuse_bytes", "free_block_bytes", "free_page_bytes", "overhead_bytes"
    assert heap["segment_bytes"] == sum(heap[part] for part in parts)
    assert heap["segments_count"] > 0 and heap["freelist_bytes"] <= heap["free_block_bytes"]


def check_malloc(snapshot):
    malloc = snapshot["memory"]["malloc"]
    if malloc["heap_bytes"] is None:
        return
    assert malloc["heap_bytes"] == malloc["python_bytes"] + malloc["other_bytes"] + malloc["free_bytes"]
    assert min(malloc["python_bytes"], malloc["other_bytes"], malloc["free_bytes"]) >= 0


def check_dicts(snapshot):
    """Both ways of sorting have the same dicts; what the rows hold as dicts of others is a part of them."""
    dicts = snapshot["dicts"]
    assert set(dicts["by_layout"]) == LAYOUTS and set(dicts["by_owner"]) == OWNERS
    for number in "count", "bytes", "used", "owned":
        by_layout = sum(row[number] for row in dicts["by_layout"].values())
        assert by_layout == sum(row[number] for row in dicts["by_owner"].values()), number
    everything = [row for by in dicts.values() for row in by.values()]
    assert all(row["used"] <= row["owned"] and min(row.values()) >= 0 for row in everything)
    assert dicts["by_layout"]["empty"]["used"] == 0


def check(snapshot):
    check_rows(snapshot)
    if snapshot["process"]["build"]["gil"]:
        assert snapshot["memory"]["mimalloc"] is None
        check_pymalloc(snapshot)
    else:
        check_mimalloc(snapshot)
    check_malloc(snapshot)
    check_dicts(snapshot)


def check_still(snapshot):
    """More, where the target did nothing meanwhile."""
    check(snapshot)
    assert is_whole(snapshot), snapshot["partial_reasons"]
    assert snapshot["census"]["torn_pools"] == 0
    known, unknown = snapshot["memory"]["python_inuse_bytes"], snapshot["unattributed"]["bytes"]
    assert snapshot["census"]["attributed_ratio"] == pytest.approx(known / (known + unknown))
    if snapshot["process"]["python_version"].startswith("3.8."):
        unknown -= GRAMMAR_3_8
    # What is larger than 512 bytes and no object of Python's counts as malloc's elsewhere (the compiler's arenas); in
    # free-threaded builds it lies among the rest. Where large objects are not seen, nor is what they own.
    if snapshot["memory"]["malloc"]["name"] is None:
        assert known / (known + unknown) >= 0.9
        return
    assert known / (known + unknown) >= (0.99 if snapshot["process"]["build"]["gil"] else 0.85)
