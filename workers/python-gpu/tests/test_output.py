"""What a child writes is read as fast as it comes, and only the end of it is kept."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

from spindle_worker.supervise.output import KEPT_BYTES, Output


def start(code: str) -> tuple[Output, subprocess.Popen[bytes]]:
    read, write = os.pipe()
    child = subprocess.Popen([sys.executable, "-c", code], stdout=write, stderr=write)
    os.close(write)
    return Output(read), child


def test_the_end_of_a_gigabyte_is_kept_and_no_memory_is_filled_with_it() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    output, child = start("import os\nfor _ in range(1024): os.write(1, b'.' * (1 << 20))\nprint('the end')")
    assert child.wait(60) == 0
    text = output.collect()
    assert text.endswith("...the end")
    assert len(text) <= KEPT_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_each_task_has_its_own_and_what_came_before_is_not_its() -> None:
    output, child = start("import sys, time\nprint('first', flush=True)\ntime.sleep(0.6)\nprint('second', file=sys.stderr)")
    time.sleep(0.3)
    output.begin()
    child.wait(10)
    assert output.collect() == "second"
    assert output.collect() == ""
