# SPDX-License-Identifier: BSD-2-Clause
"""
How long tests wait for things, for where a machine is emulated (tests/kernels): PYMEMTOP_TEST_PATIENCE times as long.
What is watched for a time is watched for as much longer, what keeps a pace keeps so much of it.
"""

import os

FACTOR = float(os.environ.get("PYMEMTOP_TEST_PATIENCE", 1))


def seconds(usual):
    return usual * FACTOR
