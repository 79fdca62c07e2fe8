"""Runs a program and samples where its processor time goes: `sampled.py OUTPUT PROGRAM ARGUMENT…`.

By samples, because tracing profilers take SQLAlchemy's greenlet switches for calls and charge the wrong function.
"""

import gc
import json
import runpy
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

_EVERY = 0.001
"""Seconds of processor time; the kernel may take longer ones."""


class Samples:
    """How often each function was found at work itself, and anywhere on the stack. Imports are left out."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.within: Counter[str] = Counter()
        self.collecting = 0.0
        """Seconds of garbage collection; samples charge it to whoever happened to allocate."""
        self._began = 0.0

    def take(self, _: int, frame: FrameType | None) -> None:
        """Handle the timer's signal."""
        stack: list[str] = []
        while frame:
            code = frame.f_code
            if code.co_filename.startswith("<frozen importlib"):
                return
            stack.append(f"{'/'.join(Path(code.co_filename).parts[-3:])} {code.co_name}")
            frame = frame.f_back
        self.own[stack[0]] += 1
        self.within.update(set(stack))

    def collect(self, phase: str, _: dict[str, int]) -> None:
        """Note the collector's start and end."""
        if phase == "start":
            self._began = time.process_time()
        else:
            self.collecting += time.process_time() - self._began


def _run(output: Path, program: list[str]) -> None:
    samples = Samples()
    signal.signal(signal.SIGPROF, samples.take)
    gc.callbacks.append(samples.collect)
    signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
    sys.argv = program
    began = time.process_time()
    try:
        runpy.run_path(program[0], run_name="__main__")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        output.write_text(
            json.dumps({
                "own": samples.own, "within": samples.within, "collecting": samples.collecting,
                "seconds": time.process_time() - began,
            })
        )  # fmt: skip


if __name__ == "__main__":
    _run(Path(sys.argv[1]), sys.argv[2:])
