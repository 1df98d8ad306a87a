# SPDX-License-Identifier: BSD-2-Clause
"""What only single tests need, and not every machine has."""

import os

import pytest


def missing(what):
    """Skips, and says so where nobody overlooks it; fails where PYMEMTOP_REQUIRE_EXTRAS=1 says that all must be there."""
    if os.environ.get("PYMEMTOP_REQUIRE_EXTRAS") == "1":
        pytest.fail(what)
    pytest.skip(f"!! NOT TESTED: {what}")
