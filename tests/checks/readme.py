"""Checks a README against the tree: links, paths, names, options, and the table from Python to C.

Usage: readme.py <readme> <tree> <folder of the headers>

The table lies between <!-- python-table --> and <!-- python-table-end -->. The cells of its first
column have to name all that the Python at work offers in multiprocessing and concurrent.futures.
"""
import importlib
import os
import re
import sys

MODULES = """multiprocessing multiprocessing.connection multiprocessing.managers
    multiprocessing.pool multiprocessing.queues multiprocessing.synchronize
    multiprocessing.sharedctypes multiprocessing.shared_memory multiprocessing.process
    multiprocessing.reduction multiprocessing.util multiprocessing.resource_tracker
    multiprocessing.spawn multiprocessing.forkserver multiprocessing.dummy multiprocessing.heap
    concurrent.futures""".split()


def anchor_of(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def check_links(text, folder):
    anchors = {anchor_of(h) for h in re.findall(r"^#+ (.*)$", text, re.M)}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            if target[1:] not in anchors:
                yield f"no heading {target}"
        elif "://" in target:
            yield f"{target} cannot be checked"
        elif not os.path.exists(os.path.join(folder, target)):
            yield f"no file {target}"


def check_paths(text, folder):
    for path in re.findall(r"`((?:include|src|tests|examples|\.ci)/[\w./-]*)`", text):
        if not os.path.exists(os.path.join(folder, path)):
            yield f"no path {path}"


def check_names(text, headers):
    """A name that ends in an underscore stands for all that begin so."""
    declared = set()
    for header in os.listdir(headers):
        with open(os.path.join(headers, header)) as file:
            declared |= set(re.findall(r"\bmp_\w+|\bMP_\w+", file.read()))
    # the names of the codes are put together by a macro
    with open(os.path.join(headers, "errors.h")) as file:
        declared |= {"MP_" + name for name in re.findall(r"X\((E\w+),", file.read())}
    for name in sorted(set(re.findall(r"\b(?:mp|MP)_\w+", text))):
        if name not in declared and not (
            name.endswith("_") and any(known.startswith(name) for known in declared)
        ):
            yield f"no header declares {name}"


def check_options(text, folder):
    """Those for everybody: what only a file of settings sets is not asked for."""
    for place in ("", "tests", "tests/fuzz"):
        with open(os.path.join(folder, place, "CMakeLists.txt")) as file:
            cmake = file.read()
        options = re.findall(r"^option\((LIBMP_\w+)", cmake, re.M)
        options += re.findall(r"^set\((LIBMP_\w+) [^)]*? CACHE ", cmake, re.M)
        for option in options:
            if f"`{option}`" not in text:
                yield f"no word of the option {option}"


def offered(module_name):
    """What it exports by name; multiprocessing.x.y is known as x.y."""
    module = importlib.import_module(module_name)
    prefix = re.sub(r"^multiprocessing\.?", "", module_name)
    for name in module.__all__:
        if not name.startswith("_"):
            yield f"{prefix}.{name}".strip(".")


def check_table(text):
    match = re.search(r"<!-- python-table -->(.*)<!-- python-table-end -->", text, re.S)
    if not match:
        yield "no table from Python to C"
        return
    told = set()
    for row in re.findall(r"^\| (.*?) \|", match.group(1), re.M):
        told |= set(re.findall(r"`([\w.*]+)`", row))
    short = {name.split(".")[-1] for name in told}
    for module in MODULES:
        for name in offered(module):
            # one object under two names needs to be told once
            known = told if name.startswith("concurrent") else told | short
            if not {name, name.split(".")[-1], name.rpartition(".")[0] + ".*"} & known:
                yield f"the table leaves out {name}"


def main(readme, tree, headers):
    with open(readme) as file:
        text = file.read()
    complaints = [*check_links(text, tree), *check_paths(text, tree), *check_names(text, headers)]
    complaints += [*check_options(text, tree), *check_table(text)]
    for complaint in complaints:
        print(f"{os.path.basename(readme)}: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
