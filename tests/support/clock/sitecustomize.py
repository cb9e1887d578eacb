"""On the PYTHONPATH of a worker: its clock on the wall is off by CLOCK_SHIFT_MS. `time.monotonic` is not."""

import os
import time

_real = time.time
_shift = int(os.environ.get("CLOCK_SHIFT_MS", "0")) / 1000
time.time = lambda: _real() + _shift
