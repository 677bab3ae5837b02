"""The peers' side of the benches `arrays` and `bags`: runs what it is told, and tells how long it took and what memory it took.

A line of standard input is a JSON object: {"setup": code} or {"run": code, "seconds": limit, "runs": most, "makes": file to remove first}.
Each is answered by a line:
{"seconds": best, "peak": bytes} or {"error": text}.
"""

import gc
import json
import os
import sys
import time

THREADS = int(os.environ.get("DSK_BENCH_THREADS", "2"))

scope = {"__name__": "bench", "THREADS": THREADS}


def reset_peak():
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")


def peak():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def run(code, limit, runs, makes):
    """The best of as many runs as there is time for, so many at most, after one that warms up."""
    once = compile(code, "row", "exec")
    times = []
    begun = time.perf_counter()
    reset_peak()
    while not times or (len(times) <= runs and time.perf_counter() - begun < limit):
        gc.collect()
        if makes and os.path.exists(makes):
            os.remove(makes)
        start = time.perf_counter()
        exec(once, scope)
        times.append(time.perf_counter() - start)
    return {"seconds": min(times[1:] or times), "peak": peak()}


def answer(order):
    if "setup" in order:
        exec(compile(order["setup"], "setup", "exec"), scope)
        return {"seconds": 0.0, "peak": 0}
    return run(order["run"], order["seconds"], order["runs"], order.get("makes"))


def main():
    # What peers print goes elsewhere.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            told = answer(json.loads(line))
        except BaseException as e:  # a peer that is not installed, or has not the function
            told = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(told), file=answers, flush=True)


# Peers that use processes import this file again.
if __name__ == "__main__":
    main()
