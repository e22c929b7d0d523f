"""From the lines of figures that were kept to the section of README: two tables and a plot."""

import json
import re
import textwrap
from dataclasses import astuple, dataclass, fields
from statistics import median

import plot
from rows import MATRIX, PLOT_SIZES, ROWS, Case, named, spelled

BEGIN, END = "<!-- speed: what benches/peers/run.py has measured -->", "<!-- speed: end -->"
PLOT = "benches/peers/speed.svg"
PEERS = ("iceoryx2", "zenoh", "dora", "ezmsg")
UNITS = {"messages_per_s": (1, "/s"), "latency_p50_ns": (1e3, "µs"), "first_message_ms": (1, "ms"),
         "exit_ms": (1, "ms"), "receiver_peak_rss_bytes": (1 << 20, "MiB")}
NOTHING = "–"
#: Of a line of README.
WIDTH = 120
MATRIX_TITLE = """\
The cases of ezmsg's own benchmark, messages/s at a sink, every message written in full: how nodes are connected, where
they are (`shm`: each in a process of its own, `local`: all in one), size, and how many sources, sinks or relays.\
"""
PLOT_TITLE = "a pair with full queues: messages/s, written in full, over the size of a message"
#: What has a line in the plot: system, how it waits, and its name there.
PLOTTED = {("limits", ""): "limit", ("ezrun", "adaptive"): "ezrun", ("iceoryx2", "block"): "iceoryx2",
           ("zenoh", ""): "zenoh", ("dora", ""): "dora", ("ezmsg", ""): "ezmsg"}


@dataclass
class Outcome:
    """What the rounds have made of one case on one system."""

    values: list
    lost: int
    failed: int

    def median(self):
        return median(self.values) if self.values else None

    def cell(self, unit, label=""):
        """For a table: median (least..greatest), and what went wrong."""
        words = [label] if label else []
        if self.values:
            told = [number(value / unit) for value in (median(self.values), min(self.values), max(self.values))]
            words.append(f"{told[0]} ({told[1]}..{told[2]})")
        words += [f"{self.lost} lost"] if self.lost else []
        words += [f"failed {self.failed}×"] if self.failed else []
        return " ".join(words)


class Figures:
    """All that was measured."""

    def __init__(self, lines):
        records = [json.loads(line) for line in lines if line.strip()]
        heads = [record for record in records if "machine" in record]
        self.about = {**heads[0], "rounds": sum(head["rounds"] for head in heads)}
        self.runs = {}
        for record in records:
            if "case" in record:
                case = Case(**{field.name: record["case"].get(field.name, field.default) for field in fields(Case)})
                self.runs.setdefault((record["system"], astuple(case)), []).append(record)

    def outcome(self, row, system, case):
        """None where it was not tried."""
        runs = self.runs.get((system, astuple(case)))
        if not runs:
            return None
        good = [run["figures"] for run in runs if "figures" in run]
        values = [figures[row.figure] for figures in good if row.figure in figures]
        if row.figure == "receiver_peak_rss_bytes":
            values = [value - case.size for value in values]
        return Outcome(values, round(sum(figures.get("lost", 0) for figures in good)), len(runs) - len(good))

    def outcomes(self, row):
        """Those of a row: for each system and wait that was tried."""
        found = {(system, wait): self.outcome(row, system, case) for system, wait, case in row.runs()}
        return {key: outcome for key, outcome in found.items() if outcome}


def number(value):
    """Three digits, with k and M."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= unit * 0.9995:
            return f"{digits(value / unit)}{name}"
    return digits(value)


def digits(value):
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def table(figures):
    """The first table: every row that was measured."""
    head = ["", "limit", "ezrun", *PEERS, "ezrun ÷ limit", "ezrun ÷ best peer"]
    lines = []
    for row in ROWS:
        outcomes = figures.outcomes(row)
        # Rows share limits: it takes one of the others to make a row.
        if len(outcomes) > (1 if row.limit and row.systems else 0):
            lines.append(line(cells(row, outcomes)))
    return framed(head, lines)


def cells(row, outcomes):
    unit, unit_name = UNITS[row.figure]
    medians = {key: outcome.median() for key, outcome in outcomes.items() if outcome.values}

    def of(system):
        told = [outcome.cell(unit, label(wait)) for (name, wait), outcome in outcomes.items() if name == system]
        return "<br>".join(told) or NOTHING

    def ratios(to):
        ours = [(wait, value) for (name, wait), value in medians.items() if name == "ezrun"]
        told = [f"{label(wait)} {digits(value / to)}".strip() for wait, value in ours] if to else []
        return "<br>".join(told) or NOTHING

    theirs = [value for (name, _), value in medians.items() if name in PEERS]
    best = (min if row.lower_is_better() else max)(theirs, default=None)
    limit = medians.get(("limits", ""))
    return [f"{row.title}, {unit_name}", of("limits"), of("ezrun"), *map(of, PEERS), ratios(limit), ratios(best)]


def label(wait):
    """How a system waited, where it is not as by default."""
    return "" if wait == "adaptive" else {"block": "asleep"}.get(wait, wait)


def matrix_table(figures):
    """The second table: the cases of ezmsg's own benchmark, with the two columns that it lacks."""
    head = ["", "ezmsg", "ezrun, `zero_copy: false`", "ezrun, `zero_copy: true`"]
    lines = []
    for row in MATRIX:
        outcomes = figures.outcomes(row)
        if outcomes:
            told = [outcomes.get(key) for key in (("ezmsg", ""), ("ezrun", "copy"), ("ezrun", "zero_copy"))]
            lines.append(line([row.title, *(outcome.cell(1) if outcome else NOTHING for outcome in told)]))
    return framed(head, lines)


def framed(head, lines):
    """A table; nothing where it would have no line."""
    return "\n".join([line(head), line(["---"] * len(head)), *lines]) if lines else ""


def line(words):
    return f"| {' | '.join(words)} |"


def picture(figures):
    """The plot, as SVG; nothing where no saturated pair was measured."""
    lines = {}
    by_name = {row.name: row for row in ROWS}
    for size in PLOT_SIZES:
        # A message of 64 bytes is written in full where its ends are.
        row = by_name[named("pair-ends" if size == 64 else "pair-full", size)]
        for key, outcome in figures.outcomes(row).items():
            if key in PLOTTED and outcome.values:
                lines.setdefault(PLOTTED[key], []).append((size, spelled(size), outcome.median()))
    return plot.svg(PLOT_TITLE, lines) if lines else None


def section(figures):
    """What stands between the markers."""
    machine, versions = figures.about["machine"], figures.about["versions"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "limits")
    about = (f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, {machine['day']}; {told}; "
             f"rounds: {figures.about['rounds']}; median (least..greatest).")
    drawn = f"![Messages per second over size]({PLOT})" if picture(figures) else ""
    matrix = matrix_table(figures)
    parts = [textwrap.fill(about, WIDTH), drawn, table(figures), MATRIX_TITLE if matrix else "", matrix]
    return "\n\n".join(part for part in parts if part)


def write(figures, readme):
    """Puts the section into `readme`, and the plot below its folder."""
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.S)
    replaced, count = between.subn(lambda _: f"\n{section(figures)}\n\n", readme.read_text())
    if count != 1:
        raise SystemExit(f"{readme} has no place for the figures: put `{BEGIN}` and `{END}` where they belong")
    readme.write_text(replaced)
    drawn = picture(figures)
    if drawn:
        path = readme.parent / PLOT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawn)
