/* SPDX-License-Identifier: BSD-2-Clause */
/* What every unit test includes first: cmocka with what it needs in front of it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
