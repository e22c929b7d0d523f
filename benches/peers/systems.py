"""How each system is built, and how it is made to run a case."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
#: How long a run may take, and how long a build: dora's node alone is over 500 crates.
RUN_S, BUILD_S = 20, 3600
#: How long what a program has started may outlive it.
TIDY_S = 2
#: How long messages flow, about, where a case does not say how many.
MOMENT_S = 0.3
#: The least number of messages, of those that are large and of others: what memory costs that is new must not decide.
LARGE_BYTES = 16 << 20
LEAST_MESSAGES = {True: 120, False: 1000}
PACED_MESSAGES = 200
#: Round trips, by whether a process may sleep in between.
ROUND_TRIPS = {"busy": 50_000, "adaptive": 20_000, "block": 5_000}
#: Bytes per second that a core copies, about.
COPIED_PER_S = 6e9


class Failed(Exception):
    """A build or a run that did not do what it should."""


def run(command, seconds, cwd=None, env=None):
    """Runs `command`, with all that it starts gone at the end. Returns its standard output and its standard error."""
    process = subprocess.Popen([str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})}, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        printed, complained = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"{Path(command[0]).name} took longer than {seconds} s") from None
    finally:
        end(process)
    if process.returncode != 0:
        lines = f"{printed}\n{complained}".splitlines()
        said = [line for line in lines if line and not line.startswith("launched_ns=")]
        raise Failed(f"{Path(command[0]).name} ended with {process.returncode}: {' '.join(said[-1:])[:200]}")
    return printed, complained


def end(process):
    """Sees a process and all of its group to their end. Where it has ended by itself, they may tidy up first."""
    until = time.monotonic() + (TIDY_S if process.poll() is not None else 0)
    try:
        while time.monotonic() < until:
            os.killpg(process.pid, 0)
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class System:
    """One of those that are compared."""

    name = ""
    version = ""
    #: Why it could not be built, where it could not.
    absent = None
    #: Small messages per second, about; and how often it copies each message.
    rate, copies = 1e5, 0

    def __init__(self, scratch):
        self.scratch = scratch
        self.target = scratch / "target"

    def build(self):
        """Makes ready to run."""

    def figures(self, case):
        """Runs `case` once. The lines of figures of all that receive, as one."""
        raise NotImplementedError

    def amount(self, case):
        """How many messages to send."""
        if case.messages:
            return case.messages
        if case.rate:
            return PACED_MESSAGES
        if case.topology == "ping-pong":
            return ROUND_TRIPS[case.wait]
        chain = case.topology == "chain"  # whose relays copy what they send on
        copies = self.copies + (case.sent == "full") + case.copies + chain
        hops = case.clients
        seconds = hops * (1 / self.rate + copies * case.size / COPIED_PER_S)
        least = LEAST_MESSAGES[case.size >= LARGE_BYTES] // (case.clients if case.topology == "fan-in" else 1)
        return max(least, int(MOMENT_S / seconds))

    def cargo(self, folder):
        command = ["cargo", "build", "--release", "--locked", "--manifest-path", folder / "Cargo.toml"]
        run(command, BUILD_S, env={"CARGO_TARGET_DIR": str(self.target)})

    def launched(self, command, **options):
        """Runs a program that prints figures, by way of a launcher that knows when it began and ended."""
        launcher = self.target / "release/peer-limits"
        printed, complained = run([launcher, "--case", "launch", *command], RUN_S, **options)
        began, ended = map(int, re.search(r"launched_ns=(\d+) ended_ns=(\d+)", complained).groups())
        return printed, began, ended

    @staticmethod
    def merged(printed, began, ended):
        """One line of figures of those that the sinks have printed; rates are those of one sink."""
        lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        if not lines:
            raise Failed("no figures were printed")
        figures = {key: sum(line[key] for line in lines) / len(lines) for key in lines[0]}
        figures["lost"] = sum(line.get("lost", 0) for line in lines)
        if sum(line.get("torn", 0) for line in lines):
            raise Failed("messages were torn")
        if "first_ns" in figures:
            figures["first_message_ms"] = (figures.pop("first_ns") - began) / 1e6
        figures.setdefault("exit_ms", (ended - began) / 1e6)
        return figures

    def arguments(self, case):
        """A case as the arguments of the programs here."""
        wait = {"wait": case.wait} if case.wait else {}
        values = {"case": case.topology, "size": case.size, "messages": self.amount(case), "clients": case.clients,
                  "rate": case.rate, "sent": case.sent, "read": case.read, **wait}
        return [word for key, value in values.items() for word in (f"--{key}", str(value))]

    @staticmethod
    def pinned(case):
        """Further arguments, for those that bind their processes to processors."""
        cpus = sorted(os.sched_getaffinity(0))[:2]
        on_two = case.topology not in ("fan-out", "chain", "start") and len(cpus) == 2
        return ["--cpus", ",".join(map(str, cpus))] if on_two else []


class Ezrun(System):
    name, rate = "ezrun", 1e6
    binary = None  # built where none is named

    def build(self):
        if not self.binary:
            self.cargo(PROJECT)
            self.binary = self.target / "release/ezrun"
        self.version = run([self.binary, "--version"], RUN_S)[0].split()[-1]

    def figures(self, case):
        # The matrix says by `wait` how messages are delivered.
        delivery = case.wait if case.wait in ("copy", "zero_copy") else "copy" if case.copies else "zero_copy"
        wait = case.wait if case.wait in ("adaptive", "block", "busy") else "adaptive"
        touch = "ends" if case.sent == "ends" else "full/ends"
        command = [self.binary, "bench", "--format", "json", "--runs", 1, "-q", "--topology", case.topology, "--size",
                   case.size, "--delivery", delivery, "--touch", touch, "--wait", wait, "--depth", 32, "--prefault",
                   "--messages", self.amount(case), "--clients", case.clients, "--place", "local" if case.local else "sealed"]
        command += ["--rate", case.rate] if case.rate else []
        command += ["--pin"] if case.topology in ("pair", "ping-pong") and not case.local else []
        figures = json.loads(run(command, RUN_S)[0])["cases"][0]["runs"][0]
        if case.topology == "fan-out":
            figures["messages_per_s"] /= case.clients
        return {**figures, "lost": 0}  # else it would have failed


class Limits(System):
    name, version, rate = "limits", "this machine", 4e6

    def build(self):
        self.cargo(HERE / "limits")

    def figures(self, case):
        printed, _ = run([self.target / "release/peer-limits", *self.arguments(case), *self.pinned(case)], RUN_S)
        return self.merged(printed, 0, 0)

    def amount(self, case):
        if case.topology == "copy":
            return int(MOMENT_S / (case.size / 1e9))
        return super().amount(case)


class Iceoryx2(System):
    name, version, rate = "iceoryx2", "0.10.0", 5e5

    def build(self):
        self.cargo(HERE / "iceoryx2")

    def figures(self, case):
        program = self.target / "release/peer-iceoryx2"
        return self.merged(*self.launched([program, *self.arguments(case), *self.pinned(case)]))


class Zenoh(System):
    name, version, rate = "zenoh", "1.10.2", 5e4

    def build(self):
        self.cargo(HERE / "zenoh")

    def figures(self, case):
        return self.merged(*self.launched([self.target / "release/peer-zenoh", *self.arguments(case)]))


class Python(System):
    """One of which a part is installed with pip."""

    packages = ()

    def build(self):
        self.venv = self.scratch / self.name / "venv"
        python = self.venv / "bin/python"
        if not python.exists():
            run([sys.executable, "-m", "venv", self.venv], BUILD_S)
        installed = run([python, "-m", "pip", "list", "--format", "freeze"], RUN_S)[0].split()
        if not set(self.packages) <= set(installed):
            run([python, "-m", "pip", "install", "--quiet", *self.packages], BUILD_S)


class Ezmsg(Python):
    name, version, rate, copies = "ezmsg", "3.9.0", 8e3, 1
    packages = ("ezmsg==3.9.0", "numpy==2.4.6")

    def figures(self, case):
        command = [self.venv / "bin/python", HERE / "ezmsg/bench.py", *self.arguments(case)]
        command += ["--local"] if case.local else []
        command += ["--copies"] if case.copies else []
        return self.merged(*self.launched(command, env={"EZMSG_LOGLEVEL": "ERROR",
                                                        "EZMSG_DISABLE_BACKPRESSURE_WARNING": "1"}))


class Dora(Python):
    name, version, rate = "dora", "1.1.0", 1.5e4
    packages = ("dora-rs-cli==1.1.0",)
    #: Messages that are under way at most, shared memory of a sender, and how many wait at a receiver.
    credit, pool, queue = 16, "512MB", 1000

    def build(self):
        super().build()
        self.cargo(HERE / "dora")

    def figures(self, case):
        folder = self.scratch / "dora/run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "dataflow.yml").write_text(json.dumps({"nodes": list(self.nodes(case, folder / "figures"))}))
        _, began, ended = self.launched([self.venv / "bin/dora", "run", "dataflow.yml"], cwd=folder)
        figures = folder / "figures"
        return self.merged(figures.read_text() if figures.exists() else "", began, ended)

    def nodes(self, case, out):
        """The nodes of a dataflow: the sinks acknowledge, since senders of dora do not wait for receivers."""
        chain = case.topology == "chain"
        relays, sinks = (case.clients - 2, 1) if chain else (0, case.clients)
        acks = {f"ack{sink}": self.source(f"sink{sink}/ack") for sink in range(sinks)}
        words = [*self.arguments(case), "--credit", self.credit, "--out", out, "--sinks", sinks]

        def node(name, role, **fields):
            args = " ".join(map(str, ["--role", role, *words]))
            return {"id": name, "path": str(self.target / "release/peer-dora"), "args": args, **fields}

        yield node("source", "source", outputs=["out"], inputs=acks, shared_memory_pool_size=self.pool)
        last = "source/out"
        for relay in range(relays):
            yield node(f"relay{relay}", "relay", outputs=["out"], inputs={"in": self.source(last)},
                       shared_memory_pool_size=self.pool)
            last = f"relay{relay}/out"
        for sink in range(sinks):
            yield node(f"sink{sink}", "sink", outputs=["ack"], inputs={"in": self.source(last)})

    def source(self, output):
        return {"source": output, "queue_size": self.queue, "queue_policy": "drop_oldest"}


#: In the order in which they take turns.
SYSTEMS = (Limits, Ezrun, Iceoryx2, Zenoh, Dora, Ezmsg)


def machine():
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", info)
    name = os.uname()
    return {"cpu": model.group(1) if model else name.machine, "cores": len(os.sched_getaffinity(0)),
            "kernel": f"{name.sysname} {name.release}", "day": time.strftime("%Y-%m-%d")}
