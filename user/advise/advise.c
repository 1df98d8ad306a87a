/* SPDX-License-Identifier: BSD-2-Clause */
#include "advise/advise.h"

#include "advise/rules.h"
#include "base/util.h"

#include <errno.h>

/* One in so many bytes of the heap. */
#define SHARE 100
/* No gain below this is worth an edit, however small the heap. */
#define LEAST_BYTES (16 * (int64_t)KiB)

static int (*const rules[])(struct picture *pic, const struct rules_limits *limits) = {
	rules_slots,	     rules_unshared_keys, rules_overcapacity, rules_duplicate_strings,
	rules_fragmentation,
};

static int compare_advice(const void *a, const void *b)
{
	const struct picture_advice *x = a, *y = b;

	if (x->saves_bytes != y->saves_bytes)
		return x->saves_bytes < y->saves_bytes ? 1 : -1;
	return strcmp(x->kind, y->kind);
}

static void forget(struct picture *pic)
{
	for (size_t i = 0; i < pic->advice_count; i++) {
		free(pic->advice[i].type);
		free(pic->advice[i].detail);
	}
	pic->advice_count = 0;
}

int advise_picture(struct picture *pic, const struct advise_options *opts)
{
	struct rules_limits limits = { .type_bytes = 1, .saves_bytes = 1 };
	int r = 0;

	if (!pic->has_facts || pic->memory.python_inuse_bytes == PICTURE_UNKNOWN)
		return 0;
	if (!opts->all) {
		limits.type_bytes = pic->memory.python_inuse_bytes / SHARE;
		limits.saves_bytes = MAX(limits.type_bytes, LEAST_BYTES);
	}
	forget(pic);
	for (size_t i = 0; !r && i < ARRAY_SIZE(rules); i++)
		r = rules[i](pic, &limits);
	if (pic->advice_count)
		qsort(pic->advice, pic->advice_count, sizeof(*pic->advice), compare_advice);
	return r;
}
