"""Many simulations at once: one renderer a process, results in the order of the jobs."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from edge_pilot.config import Config
from edge_pilot.sim.renderer import Renderer

Job = TypeVar("Job")
Result = TypeVar("Result")
_worker: tuple[Config, Renderer] | None = None  # of this process; set once by _start


def run(
    work: Callable[[Config, Renderer, Job], Result],
    jobs: Sequence[Job],
    config: Config,
    processes: int = 0,
) -> Iterator[Result]:
    """Do `work(config, renderer, job)` for each job; 0 processes: as many as there are cores.

    `work` is a function of a module, since other processes must find it.
    """
    count = min(len(jobs), processes or os.cpu_count() or 1)
    # Not fork: neither the renderer nor an inference engine survives it.
    context = multiprocessing.get_context("spawn")
    with context.Pool(count, _start, (config,)) as pool:
        yield from pool.imap(_Task(work), jobs)


def _start(config: Config) -> None:
    global _worker
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _worker = (config, Renderer(config.camera))


class _Task:
    """`work` with this process's renderer put in."""

    def __init__(self, work: Callable[[Config, Renderer, Any], Any]) -> None:
        self._work = work

    def __call__(self, job: Any) -> Any:
        if _worker is None:
            raise RuntimeError("expected a worker that _start has prepared")
        return self._work(*_worker, job)
