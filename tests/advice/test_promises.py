# SPDX-License-Identifier: BSD-2-Clause
"""What advice promises is what following it saves, to 5%; and where it says nothing, there is nothing to gain."""

import pairs
import pytest

TOLERANCE = 0.05
# Of all objects: a gain so small need not be found.
WORTH_A_WORD = 0.02


@pytest.mark.parametrize("pair", pairs.PAIRS, ids=lambda p: p.id)
def test_promise_is_kept(pymemtop, interpreter, can_attach, pair):
    advice, before, after, _ = pairs.advice_about(pymemtop, interpreter, pair)
    saved = before - after
    print(f"{interpreter.id} {pair.id}: promised {advice and advice['saves_bytes']}, saved {saved} of {before}")
    if advice is None:
        assert saved <= WORTH_A_WORD * before
    else:
        assert saved == pytest.approx(advice["saves_bytes"], rel=TOLERANCE)
        assert 0 < advice["confidence"] <= 1
