"""ezmsg: units that send and take numpy arrays, each in a process of its own, or all in one (`--local`). With
`--copies` the sink is a subscriber that receives deep copies, which units cannot ask for. Each sink prints a line of
figures.

A sender copies its array into shared memory, always, but for subscribers in its own process.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import time

import ezmsg.core as ez
import numpy as np

#: Messages at the start that no figure counts, where there are several times as many.
WARM_UP = 50
#: Messages under way, as many as the others have.
DEPTH = 32
#: For a subscriber to connect, where no runner sees to it.
SETTLE_S = 1.0


class Settings(ez.Settings):
    args: argparse.Namespace


class Writer:
    """Writes messages into arrays that are used again once no receiver can have them."""

    def __init__(self, args):
        self.ring = [np.ones(args.size, np.uint8) for _ in range(DEPTH + 2 if args.local else 1)]
        self.own = np.ones(args.size, np.uint8) if args.sent == "full" and args.local else None

    def write(self, number):
        message = self.ring[number % len(self.ring)]
        if self.own is not None:  # what is sent elsewhere is copied in any case
            message[:] = self.own
        message[-8:].view(np.uint64)[0] = number
        words = message[:16].view(np.uint64)
        words[1], words[0] = number, time.monotonic_ns()
        return message


class Reader:
    """Reads messages, and takes the figures."""

    def __init__(self, args):
        sources = args.clients if args.case == "fan-in" else 1
        self.args, self.wanted = args, args.messages * sources
        self.warm_up = max(1, min(WARM_UP, self.wanted // 4))
        self.received = self.torn = self.first_ns = self.warm_ns = self.last_ns = 0
        self.latencies = []

    def take(self, message):
        """Whether it was the last."""
        now = time.monotonic_ns()
        sent_ns, number = map(int, message[:16].view(np.uint64))
        self.torn += int(message[-8:].view(np.uint64)[0]) != number
        self.received += 1
        self.last_ns = now
        if self.received == 1:
            self.first_ns = now
        if self.received == self.warm_up:
            self.warm_ns = now
        elif self.args.rate and self.received > self.warm_up:
            self.latencies.append(now - sent_ns)
        return self.received == self.wanted

    def print(self):
        seconds = (self.last_ns - self.warm_ns) / 1e9
        figures = {"messages": self.received, "lost": self.wanted - self.received, "torn": self.torn,
                   "first_ns": self.first_ns,
                   "messages_per_s": (self.received - self.warm_up) / seconds if seconds else 0,
                   "receiver_peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        if self.latencies:
            self.latencies.sort()
            figures["latency_p50_ns"] = self.latencies[len(self.latencies) // 2]
            figures["latency_p99_ns"] = self.latencies[len(self.latencies) * 99 // 100]
        # At once, so that no line of another sink gets in between.
        os.write(1, f"{json.dumps(figures)}\n".encode())


async def messages(args):
    """Each when it is due."""
    writer, due = Writer(args), time.monotonic()
    for number in range(args.messages):
        if args.rate:
            due += 1 / args.rate
            await asyncio.sleep(max(0, due - time.monotonic()))
        yield writer.write(number)


class Source(ez.Unit):
    OUT = ez.OutputStream(np.ndarray)
    SETTINGS = Settings

    async def initialize(self):
        self.OUT.num_buffers = DEPTH

    @ez.publisher(OUT)
    async def send(self):
        async for message in messages(self.SETTINGS.args):
            yield self.OUT, message
        raise ez.Complete


class Relay(ez.Unit):
    IN = ez.InputStream(np.ndarray)
    OUT = ez.OutputStream(np.ndarray)
    SETTINGS = Settings

    async def initialize(self):
        self.OUT.num_buffers = DEPTH

    @ez.subscriber(IN)
    @ez.publisher(OUT)
    async def relay(self, message: np.ndarray):
        yield self.OUT, message


class SinkState(ez.State):
    reader: Reader


class Sink(ez.Unit):
    IN = ez.InputStream(np.ndarray)
    SETTINGS = Settings
    STATE = SinkState

    async def initialize(self):
        self.STATE.reader = Reader(self.SETTINGS.args)

    @ez.subscriber(IN)
    async def receive(self, message: np.ndarray):
        if self.STATE.reader.take(message):
            raise ez.Complete if self.SETTINGS.args.case == "fan-out" else ez.NormalTermination

    async def shutdown(self):
        self.STATE.reader.print()


def run_units(args):
    settings = Settings(args)
    several = {case: args.clients if args.case == case else 1 for case in ("fan-in", "fan-out")}
    sources = [Source(settings) for _ in range(several["fan-in"])]
    relays = [Relay(settings) for _ in range(args.clients - 2 if args.case == "chain" else 0)]
    sinks = [Sink(settings) for _ in range(several["fan-out"])]
    steps = [sources, *[[relay] for relay in relays], sinks]
    edges = [(a.OUT, b.IN) for before, after in zip(steps, steps[1:]) for a in before for b in after]
    units = [*sources, *relays, *sinks]
    ez.run(components={f"UNIT{at}": unit for at, unit in enumerate(units)}, connections=edges,
           process_components=[] if args.local else units)


async def publish(args, address):
    async with ez.GraphContext(address, auto_start=False) as context:
        publisher = await context.publisher("bench", num_buffers=DEPTH)
        await asyncio.sleep(SETTLE_S)
        async for message in messages(args):
            await publisher.broadcast(message)
        await publisher.sync()


async def subscribe(args, address):
    async with ez.GraphContext(address, auto_start=False) as context:
        subscriber, reader = await context.subscriber("bench"), Reader(args)
        while not reader.take(await subscriber.recv()):
            pass
        reader.print()


def run_async(side, args, address):
    asyncio.run(side(args, address))


def run_copies(args):
    from ezmsg.core.graphserver import GraphServer

    server = GraphServer()
    server.start(("127.0.0.1", 0))
    spawn = multiprocessing.get_context("spawn")
    sides = [spawn.Process(target=run_async, args=(side, args, server.address)) for side in (subscribe, publish)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    server.stop()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="pair", help="pair, fan-in, fan-out, chain")
    for name, default in (("size", 64), ("messages", 1000), ("clients", 1), ("rate", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--sent", default="ends")
    parser.add_argument("--read", default="ends")
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--copies", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    args = arguments()
    run_copies(args) if args.copies else run_units(args)
