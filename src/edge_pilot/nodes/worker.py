"""A thread for what may be slow and may be left out. No ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Worker(Generic[Job]):
    """Does the newest of the jobs that it is given; those that wait when a newer one comes drop.

    The thread begins with the first job.
    """

    def __init__(self, do: Callable[[Job], None]) -> None:
        self.dropped = 0
        self._do = do
        self._changed = threading.Condition()
        self._waiting: list[Job] = []  # none or one
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def give(self, job: Job) -> None:
        """Hand a job over; returns at once."""
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting = [job]
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait for the job under way, and do no other."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                job = self._waiting.pop()
            self._do(job)
