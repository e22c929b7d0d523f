#!/usr/bin/env python3
"""Measures ezrun beside its peers and beside what the machine can do, and writes what came of it into README.

Needs cargo, Python 3.11 and the network (crates.io and PyPI) for what is not in the scratch folder yet. All that is
built or installed stays there, and so do the figures of every run, one JSON line each.
"""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import asdict, astuple
from pathlib import Path

import report
from rows import MATRIX, ROWS
from systems import PROJECT, SYSTEMS, Ezrun, Failed, Limits, machine


def main():
    # So that what was started is ended with this program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    args = arguments()
    if args.figures:
        lines = [line for path in args.figures for line in path.read_text().splitlines()]
    else:
        lines = measure(args)
    figures = report.Figures(lines)
    if args.write_readme:
        report.write(figures, args.write_readme)
    else:
        print(report.section(figures))


def arguments():
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    names = [system.name for system in SYSTEMS if system is not Ezrun]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, default=cache / "ezrun-peers",
                        help="for builds, installations and figures")
    parser.add_argument("--rounds", type=int, default=5, help="how often each system takes its turn (default: 5)")
    parser.add_argument("--peers", type=listed(names), default=names,
                        help=f"some of {','.join(names)}; the limits are always among them")
    parser.add_argument("--rows", type=listed([row.name for row in [*ROWS, *MATRIX]]), help="some rows, by name")
    parser.add_argument("--matrix", action="store_true", help="also the cases of ezmsg's own benchmark")
    parser.add_argument("--ezrun", type=Path, help="an ezrun that is built already")
    parser.add_argument("--build-only", action="store_true", help="build and install, and measure nothing")
    parser.add_argument("--from", type=Path, nargs="+", dest="figures", metavar="FILE",
                        help="measure nothing: take the figures of earlier runs")
    parser.add_argument("--write-readme", type=Path, nargs="?", const=PROJECT / "README.md", metavar="README",
                        help="put tables and plot there, instead of printing them")
    return parser.parse_args()


def listed(known):
    """Names with commas between them, each of which is known."""

    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no `{name}`; there is {', '.join(known)}")
        return names

    return parse


def measure(args):
    """Builds, and runs every case on every system in turn. Returns the lines of figures."""
    args.scratch.mkdir(parents=True, exist_ok=True)
    scratch = args.scratch.resolve()
    Ezrun.binary = args.ezrun and args.ezrun.resolve()
    systems = built([system(scratch) for system in SYSTEMS if system in (Ezrun, Limits) or system.name in args.peers])
    if args.build_only:
        raise SystemExit(0)
    rows = [*ROWS, *MATRIX] if args.matrix or args.rows else ROWS
    rows = [row for row in rows if not args.rows or row.name in args.rows]
    path = scratch / time.strftime("figures-%Y%m%d-%H%M%S.jsonl")
    with path.open("w") as file:
        about = {"machine": machine(), "versions": {name: system.version for name, system in systems.items()},
                 "rounds": args.rounds}
        print(json.dumps(about), file=file)
        for number in range(args.rounds):
            for system, case in turns(rows, systems):
                record = {"round": number, "system": system.name, "case": asdict(case), **once(system, case)}
                print(json.dumps(record), file=file, flush=True)
            print(f"round {number + 1} of {args.rounds} is done", file=sys.stderr)
    print(f"the figures of every run are in {path}", file=sys.stderr)
    return path.read_text().splitlines()


def built(systems):
    """The systems by name, made ready as far as that is possible."""
    for system in systems:
        print(f"building {system.name}", file=sys.stderr)
        try:
            system.build()
        except (Failed, OSError) as e:
            print(f"{system.name} cannot be built: {e}", file=sys.stderr)
            system.absent = f"cannot be built: {e}"
    return {system.name: system for system in systems}


def turns(rows, systems):
    """Every system and case of a round, once each, row by row."""
    seen = set()
    for row in rows:
        for name, _, case in row.runs():
            key = (name, astuple(case))
            if name in systems and key not in seen:
                seen.add(key)
                yield systems[name], case


def once(system, case):
    """Figures, or why there are none."""
    if system.absent:
        return {"error": system.absent}
    began = time.monotonic()
    try:
        outcome = {"figures": system.figures(case)}
    except (Failed, OSError, ValueError, KeyError, AttributeError) as e:
        print(f"{system.name}: {case.topology} of {case.size} B failed: {e}", file=sys.stderr)
        outcome = {"error": str(e)}
    return {**outcome, "took_s": round(time.monotonic() - began, 3)}


if __name__ == "__main__":
    main()
