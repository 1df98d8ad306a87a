/* SPDX-License-Identifier: BSD-2-Clause */
/* The table is data: that it is whole, and that no member stands for the bytes of another. */
#include "unit.h"

#include <stdbool.h>

#include "model/picture.h"
#include "view/json_fields.h"

static size_t width_of(const struct json_field *field)
{
	switch (field->kind) {
	case JSON_KIND_BOOL:
	case JSON_KIND_HEAP:
		return sizeof(bool);
	case JSON_KIND_U32:
		return sizeof(uint32_t);
	case JSON_KIND_PID:
		return sizeof(pid_t);
	case JSON_KIND_NAMED:
		return (size_t)field->size * field->repeat;
	default:
		return 8;
	}
}

/* Marks the bytes that each member of a struct covers; returns whether any was marked already. */
static bool overlaps(const struct json_field *fields, unsigned char *marks, size_t size)
{
	bool found = false;

	for (; fields->kind != JSON_KIND_END; fields++) {
		if (fields->kind == JSON_KIND_OBJECT || fields->kind == JSON_KIND_OPTIONAL) {
			found |= overlaps(fields->fields, marks, size);
			continue;
		}
		/* These two look at the number of a list, which the list itself covers. */
		if (fields->kind == JSON_KIND_SOME || fields->kind == JSON_KIND_LENGTH)
			continue;
		assert_true(fields->offset + width_of(fields) <= size);
		for (size_t i = 0; i < width_of(fields); i++)
			found |= marks[fields->offset + i]++;
	}
	return found;
}

static void no_overlap_in_snapshot(void **state)
{
	unsigned char marks[sizeof(struct picture)] = { 0 };

	assert_false(overlaps(json_fields_snapshot, marks, sizeof(marks)));
}

static void no_overlap_in_type(void **state)
{
	unsigned char marks[sizeof(struct picture_type)] = { 0 };

	assert_false(overlaps(json_fields_type, marks, sizeof(marks)));
}

static void check_whole(const struct json_field *fields)
{
	for (; fields->kind != JSON_KIND_END; fields++) {
		assert_non_null(fields->name);
		if (fields->kind == JSON_KIND_WORD || fields->kind == JSON_KIND_NAMED)
			assert_non_null(fields->words);
		if (fields->kind == JSON_KIND_LIST || fields->kind == JSON_KIND_POINTER ||
		    fields->kind == JSON_KIND_NAMED)
			assert_true(fields->size > 0);
		if (fields->fields)
			check_whole(fields->fields);
	}
}

static void every_row_is_whole(void **state)
{
	check_whole(json_fields_snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_overlap_in_snapshot),
		cmocka_unit_test(no_overlap_in_type),
		cmocka_unit_test(every_row_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
