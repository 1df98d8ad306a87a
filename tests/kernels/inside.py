#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs in the machine that tests/kernels/run.py starts: watches a Python of known habits, and uses the package as
root would. Old Pythons run it too. Prints one line for each finding; the last is the count."""

import json
import os
import platform
import subprocess
import sys
import time
import urllib.request

CHURN = """
import sys, time
class Kept: pass
class Row:
    __slots__ = ("n",)
kept = [Kept() for _ in range(1234)]
last = Row()  # types that nobody has are not listed
begin, made = time.monotonic(), 0
print("ready", flush=True)
while True:
    for _ in range(20):
        Row()
    made += 20
    # A pace that an emulated machine keeps while it is probed: what it makes is what it would make.
    time.sleep(max(begin + made / 200 - time.monotonic(), 0))
    if made % 100 == 0:
        with open(sys.argv[1], "a") as f:
            print(time.monotonic(), made, file=f)
"""
PROGRAM, PACKAGE, LOG = "/root/pymemtop", "/root/pymemtop.deb", "/tmp/churn"
PASSING = "/proc /sys /dev /tmp /run /var/cache /var/lib/apt /var/lib/dpkg /var/log /var/lib/systemd /var/tmp /root".split()
passed = failed = 0


def check(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok  ' if good else 'FAIL'} {name} {detail}".rstrip(), flush=True)
    return good


def run(*command, timeout=600):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
        timeout=timeout,
    )


def wait_for(condition, timeout=180):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.5)
    return None


def of_type(snapshot, name):
    return next((t for t in snapshot["types"] if t["name"] == "__main__." + name), {})


def true_rate(begin, end):
    seen = [tuple(map(float, line.split())) for line in open(LOG)]
    seen = [s for s in seen if begin <= s[0] <= end]
    return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]) if len(seen) > 2 else 0


def check_events(pid, mode, seconds):
    begin = time.monotonic()
    done = run(PROGRAM, "snapshot", pid, "-d", f"{seconds}s", "--events", mode)
    end = time.monotonic()
    if not done.stdout:
        return check(f"events {mode}", False, f"status {done.returncode}: {done.stderr.strip()}")
    snapshot = json.loads(done.stdout)
    events, row = snapshot["events"], of_type(snapshot, "Row")
    rate, error, truth = row.get("alloc_objects_per_second"), row.get("rate_error"), true_rate(begin, end)
    detail = f"{rate} objects/s, made {truth:.0f}; error {error}, coverage {events['coverage']:.3f}, lost {events['lost']}, drift {events['drift_objects']}, status {done.returncode}"
    if mode == "exact":  # a burst may lie on either side of a window's ends
        good = rate and abs(rate - truth) < truth * 0.1 and events["drift_objects"] == 0
    else:  # nothing is said, or what is said is true
        good = rate is None or error is None or abs(rate - truth) <= rate * error
    return check(f"events {mode}", good and truth and not events["lost"], detail)


def check_kernel(pid):
    done = run(PROGRAM, "snapshot", pid)
    kept = of_type(json.loads(done.stdout), "Kept").get("inuse_objects") if done.stdout else done.stderr
    check("census", kept == 1234, f"{kept} of 1234 objects, status {done.returncode}")
    check_events(pid, "exact", 10)
    check_events(pid, "budget", 15)
    done = run(PROGRAM, "doctor", pid)
    for line in (done.stdout + done.stderr).splitlines():
        print(f"     {line}")


def files():
    found = set()
    for folder, folders, names in os.walk("/"):
        folders[:] = [f for f in folders if os.path.join(folder, f) not in PASSING and f != "__pycache__"]
        found |= {os.path.join(folder, n) for n in names + folders}
    return found


def service(what):
    return run("systemctl", "show", "-P", what, "pymemtop.service").stdout.strip()


def check_service(pid):
    done = run("systemctl", "start", "pymemtop.service")
    check("systemctl start", not done.returncode and service("ActiveState") == "active", done.stderr.strip())
    main = service("MainPID")
    status = dict(line.split(":", 1) for line in open(f"/proc/{main}/status") if ":" in line)
    check("three capabilities", bin(int(status["CapPrm"], 16)).count("1") == 3, status["CapPrm"].strip())
    check("not root", status["Uid"].split()[0] != "0", status["Uid"].strip())

    def served():
        done = run("pymemtop", "snapshot", "-v", pid)
        return done if done.stdout and "attaching without" not in done.stderr else None

    done = wait_for(served)
    kept = of_type(json.loads(done.stdout), "Kept").get("inuse_objects") if done else None
    check("snapshot through the service", kept == 1234, str(kept))
    done = run("pymemtop", "top", "-b", "-d", "2s", pid)
    check("top as root", "__main__.Kept" in done.stdout, done.stderr.strip()[:200])
    metrics = urllib.request.urlopen("http://127.0.0.1:9748/metrics", timeout=60).read().decode()
    check("metrics", 'type="__main__.Kept"' in metrics, f"{len(metrics)} bytes")


def check_package(pid):
    before = files()
    done = run("dpkg", "-i", PACKAGE)
    check("installs", not done.returncode, done.stderr.strip()[-300:])
    check("neither enabled nor started", service("ActiveState") == "inactive" and service("UnitFileState") == "disabled")
    check_service(pid)
    done = run("dpkg", "--purge", "pymemtop")
    check("purges while it runs", not done.returncode, done.stderr.strip()[-300:])
    check("the service has ended", not run("pgrep", "-x", "pymemtop").stdout)
    run("systemctl", "daemon-reload")
    left = sorted(files() - before)
    check("nothing is left", not left and not os.path.exists("/run/pymemtop"), " ".join(left))


def main():
    print(f"     Linux {platform.release()}, Python {platform.python_version()}", flush=True)
    run("mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing")
    target = subprocess.Popen([sys.executable, "-c", CHURN, LOG], stdout=subprocess.PIPE)
    target.stdout.readline()
    try:
        check_kernel(str(target.pid))
        if os.path.exists(PACKAGE):
            check_package(str(target.pid))
    finally:
        target.kill()
    print(f"{passed} passed, {failed} failed, 0 skipped", flush=True)


main()
