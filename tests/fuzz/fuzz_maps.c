/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of a target's mappings, whose paths the target chooses: parsed, printed, and parsed again with the same
 * ranges. (Blanks at the end of a path are not kept: the kernel does not print them apart from its own.)
 */
#include "target/maps.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maps *maps, *again;
	char *text;
	size_t len;

	if (maps_parse((const char *)data, size, &maps))
		return 0;
	text = maps_format(maps, &len);
	if (!text || maps_parse(text, len, &again) || again->count != maps->count)
		abort();
	for (size_t i = 0; i < maps->count; i++) {
		const struct mapping *a = &maps->list[i], *b = &again->list[i];

		if (a->start >= a->end || a->start != b->start || a->end != b->end)
			abort();
	}
	free(text);
	maps_free(maps);
	maps_free(again);
	return 0;
}
