# SPDX-License-Identifier: BSD-2-Clause
"""What the program writes is what the schema that it prints says, and what its books say adds up."""

import copy
import json
import pathlib
import re

import pytest
from target import Target

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROGRAM = """
class Foo:
    def __init__(self, n):
        self.a = n
class Slots:
    __slots__ = ("a",)
keep = [Foo(n) for n in range(500)], [Slots() for n in range(300)], [{n: n} for n in range(200)]
keep += ([bytearray(1000) for n in range(100)], [{n, n + 1} for n in range(100)])
print("ready", flush=True)
input()
"""

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}
KNOWN = {
    "$schema", "title", "description", "type", "const", "enum", "minimum", "maximum", "pattern", "items",
    "properties", "required", "additionalProperties",
}  # fmt: skip


def complaints(schema, value, where="$"):
    """What of JSON Schema our document uses; a keyword that is not known here is an error, not passed over."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(TYPES[t](value) for t in types):
        yield f"{where}: {value!r} is not {types}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not one of {schema['enum']}"
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: {value!r} is out of range"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from complaints(schema.get("items", {}), item, f"{where}[{number}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}.{name} is missing"
        for name, item in value.items():
            if name in properties:
                yield from complaints(properties[name], item, f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{where}.{name} is not known"


@pytest.fixture(scope="module")
def schema(pymemtop):
    return pymemtop.json("snapshot", "--schema")


@pytest.fixture(scope="module")
def snapshot(pymemtop, can_attach):
    with Target("/usr/bin/python3", PROGRAM) as running:
        yield pymemtop.json("snapshot", running.pid)


def test_the_binary_prints_the_document(pymemtop):
    printed = pymemtop.run("snapshot", "--schema").stdout
    assert printed == (ROOT / "docs" / "snapshot.schema.json").read_text()


def test_snapshot_is_valid(schema, snapshot):
    assert list(complaints(schema, snapshot)) == []


def test_snapshot_with_events_is_valid(pymemtop, can_use_bpf, schema):
    with Target("/usr/bin/python3", PROGRAM) as running:
        for mode in ("budget", "exact"):
            document = pymemtop.json("snapshot", running.pid, "-d", "500ms", "--events", mode)
            assert list(complaints(schema, document)) == []
            assert document["events"]["mode"] == mode
            assert document["events"]["sites"]


def spoil(document, path, value):
    spoilt = copy.deepcopy(document)
    place = spoilt
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return spoilt


@pytest.mark.parametrize(
    "path, value",
    [
        (["schema"], "pymemtop.snapshot/2"),
        (["partial"], 0),
        (["taken_at"], "yesterday"),
        (["process", "pid"], "1"),
        (["memory", "rss_bytes"], -1),
        (["types", 0, "kind"], "dynamic"),
        (["types", 0, "storage", "inline"], 1.5),
        (["types", 0, "more"], 1),
        (["events", "mode"], "all"),
    ],
)
def test_the_check_can_fail(schema, snapshot, path, value):
    assert len(list(complaints(schema, spoil(snapshot, path, value)))) == 1


def test_types_add_up(snapshot):
    for row in snapshot["types"]:
        assert sum(row["bytes"].values()) == row["inuse_bytes"], row["name"]
        assert sum(row["storage"].values()) == row["inuse_objects"], row["name"]
        shared = row["shared_keys"]
        assert shared is None or shared["used"] == len(shared["names"]) <= shared["capacity"], row["name"]
        assert row["delta_bytes"] is None
    assert sum(row["inuse_bytes"] for row in snapshot["types"]) == snapshot["memory"]["python_inuse_bytes"]


def test_arenas_add_up(snapshot):
    p = snapshot["memory"]["pymalloc"]
    parts = p["inuse_bytes"], p["free_block_bytes"], p["free_pool_bytes"], p["overhead_bytes"]
    assert sum(parts) == p["arena_bytes"]
    assert p["freelist_bytes"] <= p["free_block_bytes"]


def test_every_field_is_documented(schema):
    text = (ROOT / "docs" / "json.md").read_text()

    def names(node):
        for name, child in node.get("properties", {}).items():
            yield name
            yield from names(child)
        if "items" in node:
            yield from names(node["items"])

    missing = {name for name in names(schema) if not re.search(rf"\b{name}\b", text)}
    assert missing == set()


def test_members_stand_in_the_order_of_the_schema(schema, snapshot):
    def same_order(node, value, where="$"):
        if isinstance(value, dict):
            assert list(value) == list(node["properties"]), where
            for name, child in value.items():
                same_order(node["properties"][name], child, f"{where}.{name}")
        if isinstance(value, list):
            for item in value:
                same_order(node["items"], item, where)

    same_order(schema, snapshot)
