#!/usr/bin/env python3
"""Reads `cargo metadata --all-features` from its input; fails where what a published crate is built from needs a later Rust
than the crate says that it needs itself. Dependencies of tests alone don't count."""

import json
import sys


def version(text):
    return tuple(int(part) for part in text.split("."))[:2]


metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}


def built_from(root):
    """Returns the ids of all packages that a user of `root` builds."""
    found, waiting = set(), [root]
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            for dependency in nodes[package]["deps"]:
                if any(kind["kind"] in (None, "build") for kind in dependency["dep_kinds"]):
                    waiting.append(dependency["pkg"])
    return found


wrong = False
for member in metadata["workspace_members"]:
    package = packages[member]
    if package["publish"] is not None:
        continue
    stated = package["rust_version"]
    needing = [
        (version(packages[id]["rust_version"]), f"{packages[id]['name']} {packages[id]['version']}")
        for id in built_from(member)
        if id not in metadata["workspace_members"] and packages[id]["rust_version"]
    ]
    highest, name = max(needing, default=((0, 0), "no dependency"))
    print(f"{package['name']}: Rust {stated} stated; {name} needs {highest[0]}.{highest[1]}")
    wrong = wrong or not stated or highest > version(stated)
if wrong:
    sys.exit("wrong: a dependency needs a later Rust than the crate states")
