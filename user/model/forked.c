/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/forked.h"

#include "target/children.h"

#include <string.h>

static bool forked_knows(const struct forked *forked, pid_t pid)
{
	for (size_t i = 0; i < forked->count; i++)
		if (forked->pids[i] == pid)
			return true;
	return false;
}

bool forked_look(struct forked *forked, pid_t root, uint64_t now_ns)
{
	pid_t pids[FORKED_MAX];
	size_t count = 0;
	bool found = false;

	if (now_ns - forked->looked_ns < FORKED_NS)
		return false;
	forked->looked_ns = now_ns;
	if (children_find(root, pids, FORKED_MAX, &count) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		found |= !forked_knows(forked, pids[i]);
	memcpy(forked->pids, pids, count * sizeof(pids[0]));
	forked->count = count;
	return found;
}
