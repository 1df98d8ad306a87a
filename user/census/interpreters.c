/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/interpreters.h"

#include <errno.h>
#include <stdbool.h>

static bool interpreters_seen(const uint64_t *list, int count, uint64_t interp)
{
	for (int i = 0; i < count; i++)
		if (list[i] == interp)
			return true;
	return false;
}

int interpreters_list(const struct python *py, const struct layout *layout, struct memory *mem,
		      uint64_t ret[INTERPRETERS_MAX])
{
	uint64_t interp, head;
	int count = 0, r;

	r = memory_read_u64(mem, py->runtime + layout->runtime_interpreters_main, &interp);
	if (r < 0)
		return r;
	if (interp)
		ret[count++] = interp;

	r = memory_read_u64(mem, py->runtime + layout->runtime_interpreters_head, &head);
	if (r < 0)
		return r;
	for (interp = head; interp && count < INTERPRETERS_MAX;) {
		uint64_t next;

		if (!interpreters_seen(ret, count, interp))
			ret[count++] = interp;
		else if (interp != ret[0])
			break; /* a circle */
		r = memory_read_u64(mem, interp + layout->interp_next, &next);
		if (r == -ESRCH || r == -EPERM)
			return r;
		if (r < 0 || next == interp)
			break;
		interp = next;
	}
	return count ? count : -EAGAIN;
}
