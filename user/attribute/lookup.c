/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/lookup.h"

#include "attribute/names.h"
#include "attribute/types.h"

#include <errno.h>
#include <stdlib.h>

struct lookup {
	struct types *types;
	struct names names;
};

/* Nothing is known of the heap here: what is no type fails when it is read. */
static bool is_possible(const void *ctx, uint64_t addr)
{
	return true;
}

int lookup_new(const struct layout *layout, struct memory *mem, struct lookup **ret)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	int r;

	if (!lookup)
		return -ENOMEM;
	lookup->names = (struct names){ .layout = layout, .mem = mem };
	r = types_new(layout, mem, is_possible, NULL, &lookup->types);
	if (r < 0) {
		free(lookup);
		return r;
	}
	*ret = lookup;
	return 0;
}

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;
	types_free(lookup->types);
	free(lookup);
}

int lookup_type(struct lookup *lookup, uint64_t addr, char name[LOOKUP_NAME_MAX], bool *ret_heap)
{
	const struct type *type = types_get(lookup->types, addr);

	if (!type)
		return -ENOENT;
	names_of_type(&lookup->names, type, name, LOOKUP_NAME_MAX);
	*ret_heap = type->flags & TPFLAGS_HEAPTYPE;
	return 0;
}
