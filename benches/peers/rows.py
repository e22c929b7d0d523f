"""What is measured: the rows of the table, and who takes part in each."""

from dataclasses import dataclass, replace

KIB, MIB = 1024, 1024 * 1024
#: Sizes of the plot.
PLOT_SIZES = (64, 4 * KIB, 64 * KIB, MIB, 16 * MIB)


@dataclass(frozen=True)
class Case:
    """One thing to measure."""

    topology: str  # pair, fan-out, fan-in, chain, ping-pong; of the limits also ring, paced, copy, start
    size: int
    sent: str = "ends"  # how much of a message is written: ends, full
    read: str = "ends"  # and how much is read by the limit, or copied by receivers that have no copying mode
    copies: bool = False  # whether the receiver's message is a copy of its own
    wait: str = ""  # adaptive, block, busy; each system's own default where there is none
    clients: int = 1  # sinks, sources, or nodes of a chain
    rate: int = 0  # messages per second; as many as are accepted where there is none
    local: bool = False  # all nodes in one process
    messages: int = 0  # as many as take a moment where there is none


@dataclass(frozen=True)
class Row:
    """One row: a figure of one case, as each system does it."""

    name: str
    title: str
    figure: str  # messages_per_s, latency_p50_ns, first_message_ms, exit_ms, receiver_peak_rss_bytes
    case: Case
    limit: Case | None
    systems: tuple[tuple[str, str], ...]  # (system, wait)

    def runs(self):
        """Each run of the row: system, wait, case."""
        if self.limit:
            yield "limits", "", self.limit
        for system, wait in self.systems:
            yield system, wait, replace(self.case, wait=wait)

    def lower_is_better(self):
        return self.figure != "messages_per_s"


BLOCKING = (("ezrun", "adaptive"), ("ezrun", "block"))
SPINNING = (("ezrun", "adaptive"), ("ezrun", "busy"))
ICEORYX2 = (("iceoryx2", "block"), ("iceoryx2", "busy"))
OTHERS = (("dora", ""), ("ezmsg", ""))


def spelled(size):
    """A size as people write it."""
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def named(prefix, size):
    return f"{prefix}-{spelled(size).replace(' ', '')}"


def round_trips():
    for size in (64, 64 * KIB, MIB, 16 * MIB):
        case = Case("ping-pong", size)
        for name, wait, systems in (("round-trip", "block", (*BLOCKING, ("iceoryx2", "block"))),
                                    ("round-trip-busy", "busy", (("ezrun", "busy"), ("iceoryx2", "busy")))):
            how = "asleep" if wait == "block" else wait
            yield Row(named(name, size), f"round trip / 2, {how}, view, {spelled(size)}", "latency_p50_ns", case,
                      replace(case, size=64, wait=wait), systems)


def paced():
    for size in (64, MIB):
        case = Case("pair", size, rate=500)
        systems = (*BLOCKING, ("iceoryx2", "block"), ("zenoh", ""), *OTHERS)
        yield Row(named("paced", size), f"one way at 500/s, p50, view, {spelled(size)}", "latency_p50_ns", case,
                  replace(case, topology="paced", size=64, wait="block"), systems)


def saturated():
    for sent, sizes in (("ends", (64, 16 * MIB)), ("full", (4 * KIB, 64 * KIB, MIB, 16 * MIB))):
        for size in sizes:
            case = Case("pair", size, sent=sent)
            yield Row(named(f"pair-{sent}", size), f"pair, view, {sent}/ends, {spelled(size)}", "messages_per_s", case,
                      replace(case, topology="ring"), (*SPINNING, *ICEORYX2, ("zenoh", ""), *OTHERS))
    for size in (64 * KIB, MIB):
        case = Case("pair", size, sent="full", read="full", copies=True)
        yield Row(named("pair-copy", size), f"pair, copy, full/ends, {spelled(size)}", "messages_per_s", case,
                  replace(case, topology="ring"), (*SPINNING, *ICEORYX2, ("zenoh", ""), *OTHERS))
        yield Row(named("copy", size), f"a copy of lines that another core wrote, {spelled(size)}", "latency_p50_ns",
                  case, replace(case, topology="copy"), ())


def many():
    for topology, title in (("fan-out", "1 to 4, each sink"), ("chain", "chain of 4")):
        for size in (64, MIB):
            case = Case(topology, size, clients=4)
            systems = (*SPINNING[:1], ("iceoryx2", "block"), *OTHERS)
            yield Row(named(topology, size), f"{title}, view, ends, {spelled(size)}", "messages_per_s", case, None,
                      systems)
    for size in (64, 16 * MIB):
        case = Case("pair", size, local=True)
        yield Row(named("local", size), f"pair in one process, view, ends, {spelled(size)}", "messages_per_s", case,
                  None, (("ezrun", "adaptive"), ("ezmsg", "")))


def starts():
    case = Case("pair", 64, messages=2)
    limit = replace(case, topology="start", messages=20)
    systems = (("ezrun", "adaptive"), ("iceoryx2", "block"), ("zenoh", ""), *OTHERS)
    yield Row("start-first", "launch to first message, 2 nodes", "first_message_ms", case, limit, systems)
    yield Row("start-exit", "launch to exit, 2 nodes", "exit_ms", case, limit, systems)
    yield Row("start-memory", "receiver's peak memory beyond a payload of 64 B", "receiver_peak_rss_bytes", case, None,
              systems)


ROWS = [*round_trips(), *paced(), *saturated(), *many(), *starts()]


def matrix():
    """The cases of ezmsg's own benchmark: rows of the second table."""
    for topology in ("fan-in", "fan-out", "relay"):
        for local in (True, False):
            for size in (16, MIB):
                for clients in (1, 16):
                    # A relay of ezmsg's benchmark is a source, so many relays one after the other, and a sink.
                    chain = topology == "relay"
                    case = Case("chain" if chain else topology, size, sent="full", local=local,
                                clients=clients + 2 if chain else clients)
                    place = "local" if local else "shm"
                    title = f"{topology}, {place}, {spelled(size)}, {clients}"
                    yield Row(f"matrix-{title.replace(', ', '-').replace(' ', '')}", title, "messages_per_s", case,
                              None, (("ezmsg", ""), ("ezrun", "copy"), ("ezrun", "zero_copy")))


MATRIX = list(matrix())
