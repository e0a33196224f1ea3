import threading

from edge_pilot.nodes.worker import Worker


def test_the_newest_of_the_waiting_jobs_is_done_and_the_others_are_counted():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def do(job):
        begun.set()
        go_on.wait(5.0)
        done.append(job)
        if job == "newest":
            finished.set()

    finished = threading.Event()
    worker = Worker(do)
    worker.give("first")
    assert begun.wait(5.0)
    for job in ("second", "third", "newest"):  # returns though the first is not done
        worker.give(job)
    go_on.set()
    assert finished.wait(5.0)
    worker.close()
    assert (done, worker.dropped) == (["first", "newest"], 2)


def test_closing_waits_for_the_job_under_way_and_does_no_other():
    begun, done = threading.Event(), []

    def do(job):
        begun.set()
        done.append(job)

    worker = Worker(do)
    worker.give(1)
    assert begun.wait(5.0)
    worker.close()
    worker.give(2)
    assert done == [1]


def test_a_worker_that_was_never_used_can_be_closed():
    Worker(print).close()
