#!/usr/bin/env python3
"""Counts what a reader of the code meets: how many arguments functions take, how long they are, what is passed through.

    tests/shape.py              the core, crates/journey
    tests/shape.py CRATE...     other crates; `all` for all of them

Tests are left out. The numbers are for people; clippy and tests/tests/tidy.rs hold the limits.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUNCTION = re.compile(r"\bfn (\w+)(?:<[^(]*>)?\(")
# Comments, texts and characters hold no braces that count.
QUIET = re.compile(r"//[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])'")


def parameters(text, at):
    """The parameters behind the bracket at `at`, and where the list ends."""
    depth, begin, found = 0, at + 1, []
    for place in range(at, len(text)):
        sign = text[place]
        if sign in "([{" or sign == "<":
            depth += 1
        elif sign in ")]}" or sign == ">" and text[place - 1] not in "-=":
            depth -= 1
        if depth == 0 or depth == 1 and sign == ",":
            found.append(text[begin:place].strip())
            begin = place + 1
        if depth == 0:
            return [one for one in found if one], place
    return found, len(text)


def lines(text, at):
    """How many lines the body behind `at` has; none where there is no body."""
    brace, end = text.find("{", at), text.find(";", at)
    if brace < 0 or 0 <= end < brace:
        return 0
    depth = 0
    for place in range(brace, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text.count("\n", brace, place) + 1
    return 0


def functions(path):
    """Name, parameters and lines of every function of a file."""
    text = QUIET.sub(lambda quiet: " " * len(quiet.group()), path.read_text())
    text = text.split("#[cfg(test)]\n#[allow", 1)[0]
    for found in FUNCTION.finditer(text):
        given, end = parameters(text, found.end() - 1)
        yield found.group(1), [" ".join(one.split()) for one in given], lines(text, end)


def show(crate):
    """The table of one crate."""
    folder = ROOT / "crates" / crate / "src"
    files = [path for path in sorted(folder.rglob("*.rs")) if "test" not in str(path.relative_to(folder))]
    all_of = [(path, *one) for path in files for one in functions(path)]
    text = "".join(path.read_text() for path in files)
    longest = max(all_of, key=lambda one: one[3], default=None)
    rows = [
        ("files", len(files)),
        ("functions", len(all_of)),
        ("with six parameters and more", sum(len(given) >= 6 for _, _, given, _ in all_of)),
        ("that take `out: &mut Effects`", sum("out: &mut Effects" in given for _, _, given, _ in all_of)),
        ("that take `index: usize`", sum("index: usize" in given for _, _, given, _ in all_of)),
        ("over 80 lines", sum(count > 80 for *_, count in all_of)),
        ("places that say `journeys[index]`", text.count("journeys[index]")),
    ]
    print(crate)
    for name, count in rows:
        print(f"  {name:<36}{count:>6}")
    if longest:
        path, name, _, count = longest
        print(f"  longest: {name}, {count} lines ({path.relative_to(ROOT)})")


def main():
    """Shows what is asked for."""
    wanted = sys.argv[1:] or ["journey"]
    if wanted == ["all"]:
        wanted = sorted(path.name for path in (ROOT / "crates").iterdir())
    for crate in wanted:
        show(crate)


main()
