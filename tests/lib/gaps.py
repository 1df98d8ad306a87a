# SPDX-License-Identifier: BSD-2-Clause
"""
Where a machine gives pymemtop no core for most of a second its probes are taken off, which is right, and is told. A test
that is not about that, and finds that it was so, is run again.
"""

import functools

TRIES = 5


class TakenOff(AssertionError):
    pass


def assert_whole(picture):
    """Nothing was lost, and nothing drifted as far as that is known."""
    reasons = picture["partial_reasons"]
    if any("probes were taken off" in reason for reason in reasons):
        assert picture["events"]["lost"] > 0
        raise TakenOff(f"in each of {TRIES} tries: {reasons}")
    assert not picture["partial"], reasons
    assert not picture["events"]["drift_objects"] and not picture["events"]["drift_bytes"]


def again_if_taken_off(test):
    @functools.wraps(test)
    def run(*arguments, **options):
        for _ in range(TRIES - 1):
            try:
                return test(*arguments, **options)
            except TakenOff as gap:
                print("run again:", gap)
        return test(*arguments, **options)

    return run
