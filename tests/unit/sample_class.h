/* SPDX-License-Identifier: BSD-2-Clause */
/* A picture of 100 MiB with one class of 100,000 instances that could have slots: for the tests of
 * advice. */
#pragma once

#include "sample_picture.h"

static inline struct picture *sample_class(void)
{
	struct picture *pic = picture_new();
	struct picture_type *type;

	pic->types = calloc(4, sizeof(*pic->types));
	pic->types_count = 1;
	type = &pic->types[0];
	sample_type(type, "app.Point", 100000, 9600000);
	type->heap = true;
	type->storage[PICTURE_STORAGE_NONE] = 0;
	type->storage[PICTURE_STORAGE_INLINE] = 100000;
	type->shared_keys = calloc(1, sizeof(*type->shared_keys));
	type->shared_keys->names = calloc(2, sizeof(char *));
	type->shared_keys->names[0] = strdup("x");
	type->shared_keys->names[1] = strdup("y");
	type->shared_keys->used = 2;
	type->facts = calloc(1, sizeof(*type->facts));
	*type->facts = (struct picture_facts){
		.carriers = 100000,
		.attributes = 200000,
		.attributes_max = 2,
		.slots_bytes = 48,
		.shared_bytes = 96,
		.dict_on_demand = true,
		.same_names = true,
		.names = 2,
	};
	pic->has_facts = true;
	pic->process.python_version = strdup("3.13.0");
	pic->memory.python_inuse_bytes = 100 << 20;
	return pic;
}
