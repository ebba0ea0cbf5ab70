#!/usr/bin/env python3
"""Runs end-to-end tests, several at a time: each is a process of its own with servers of its own, and mostly waits.

    tests/e2e.py NAME...        names of test files in tests/tests

The output of a test is shown when it fails; its exit code is what counts. How many run at once: WINBACK_E2E_JOBS, else 2.
"""

import concurrent.futures
import itertools
import json
import os
import signal
import subprocess
import sys
import time

JOBS = int(os.environ.get("WINBACK_E2E_JOBS", "2"))
# librdkafka 2.12.1 may crash where a broker that comes back answers before it leads its partitions again (its issue 5280);
# a busy machine makes that moment long.
ALONE = {"redis_and_kafka_may_go_away_and_come_back"}
# One that hangs fails with what it said; the tests' own deadlines are shorter.
PATIENCE = 900


def executables(names):
    """The binaries of the test files, built as the whole workspace is."""
    command = ["cargo", "test", "--workspace", "--locked", "--no-run", "--message-format=json-render-diagnostics"]
    for name in names:
        command += ["--test", name]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message.get("executable"):
            found[message["target"]["name"]] = message["executable"]
    missing = [name for name in names if name not in found]
    if missing:
        sys.exit(f"no binary of {', '.join(missing)}")
    return {name: found[name] for name in names}


def tests(binary):
    """The tests in a binary."""
    listed = subprocess.run([binary, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    return [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]


def run(name, binary, test):
    """Runs one; what it said where it failed."""
    began = time.monotonic()
    command = [binary, test, "--exact", "--nocapture"]
    # As cargo runs it.
    folder = os.path.dirname(os.path.abspath(__file__))
    # A group of its own: what hangs is stopped with the servers it began.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=folder,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=PATIENCE)
        is_good = process.returncode == 0 and "1 passed" in said
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        said, is_good = f"{said}\nno end after {PATIENCE} s", False
    return name, test, is_good, said, time.monotonic() - began


def main(names):
    work = [(name, binary, test) for name, binary in executables(names).items() for test in tests(binary)]
    print(f"running {len(work)} tests, {JOBS} at a time", flush=True)
    failed = []
    beside = [one for one in work if one[2] not in ALONE]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        done = concurrent.futures.as_completed([pool.submit(run, *one) for one in beside])
        results = itertools.chain((future.result() for future in done), (run(*one) for one in work if one[2] in ALONE))
        for name, test, is_good, said, seconds in results:
            print(f"{'ok    ' if is_good else 'FAILED'}  {seconds:5.0f} s  {name}: {test}", flush=True)
            if not is_good:
                failed.append(f"{name}: {test}")
                print(said, flush=True)
    if failed:
        sys.exit("\n".join(["failed:", *failed]))
    print(f"{len(work)} tests passed")


if __name__ == "__main__":
    main(sys.argv[1:])
