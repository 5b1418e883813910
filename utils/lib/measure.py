#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command and says how long it took and how much memory it held.

For utils/demo.sh, because a bare Debian has no /usr/bin/time. The exit status
is the command's own.

A child's peak, as the kernel counts it, starts at what its parent held when it
forked. So this file imports little, and stays near 10 MB.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> int:
    if len(sys.argv) < 3:
        print("usage: measure.py RESULT.json COMMAND...", file=sys.stderr)
        return 2
    start = time.perf_counter()
    try:
        code = subprocess.call(sys.argv[2:])
    except OSError as error:
        print(f"measure.py: {sys.argv[2]}: {error.strerror}", file=sys.stderr)
        return 127
    seconds = time.perf_counter() - start
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak_mb = peak_kib * 1024 / 1e6
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"seconds": seconds, "peak_mb": peak_mb}, file)
    print(f"took {seconds:.2f} s, peak resident memory {peak_mb:.0f} MB")
    # Killed by a signal: as a shell reports it.
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
