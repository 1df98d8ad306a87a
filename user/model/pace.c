/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/pace.h"

#include "base/util.h"

uint64_t pace_next(struct pace *pace, size_t records, bool open)
{
	uint64_t most = open ? PACE_WINDOW_NS : PACE_CLOSED_NS;
	uint64_t nap = records > PACE_RECORDS ? pace->nap_ns / 2 : pace->nap_ns * 2;

	pace->nap_ns = MAX(MIN(nap, most), PACE_LEAST_NS);
	return pace->nap_ns;
}
