/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/compose.h"

#include "base/util.h"

#include <errno.h>

int compose_facts(struct picture_type *to, const struct facts *from,
		  const struct tally_facts *counts)
{
	struct picture_facts *facts = to->facts = calloc(1, sizeof(*facts));
	bool failed = false;

	if (!facts)
		return -ENOMEM;
	*facts = (struct picture_facts){
		.carriers = counts->carriers,
		.attributes = counts->attributes,
		.attributes_max = counts->attributes_max,
		.weakrefs = counts->weakrefs,
		.slots_bytes = (int64_t)from->slots_bytes,
		.shared_bytes = (int64_t)from->shared_bytes,
		.dict_on_demand = from->dict_on_demand,
		.dataclass = from->dataclass,
		.cached_property = from->cached_property,
		.cached_late = from->cached_late,
		.same_names = from->same_names,
		.reordered = from->reordered,
		.shared_lost = from->shared_lost,
		.room = from->room,
		.names = (int64_t)from->names,
		.sampled = (int64_t)from->sampled,
		.bases = compose_copy(from->bases, &failed),
		.misplaced = compose_copy(from->misplaced, &failed),
		.late = calloc(FACTS_LATE_MAX, sizeof(*facts->late)),
	};
	for (size_t i = 0; facts->late && i < from->late_count; i++)
		facts->late[facts->late_count++] = compose_copy(from->late[i], &failed);
	return failed || !facts->late ? -ENOMEM : 0;
}

int compose_duplicates(struct picture *pic, const struct heap_duplicates *from)
{
	bool failed = false;

	if (!from->known)
		return 0;
	pic->duplicates.copies = from->copies;
	pic->duplicates.bytes = from->bytes;
	pic->duplicates.unseen_bytes = from->unseen_bytes;
	pic->duplicates.sampling = from->sampling;
	if (!from->values_count)
		return 0;
	pic->duplicates.values = calloc(from->values_count, sizeof(*pic->duplicates.values));
	if (!pic->duplicates.values)
		return -ENOMEM;
	for (size_t i = 0; i < from->values_count; i++) {
		pic->duplicates.values[i] = (struct picture_value){
			.text = compose_copy(from->values[i].text, &failed),
			.copies = from->values[i].copies,
			.bytes = from->values[i].bytes,
		};
		pic->duplicates.values_count++;
	}
	return failed ? -ENOMEM : 0;
}
