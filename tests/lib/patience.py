# SPDX-License-Identifier: BSD-2-Clause
"""How long tests wait for things, for where a machine is emulated (tests/kernels): PYMEMTOP_TEST_PATIENCE times as long."""

import os

FACTOR = float(os.environ.get("PYMEMTOP_TEST_PATIENCE", 1))
