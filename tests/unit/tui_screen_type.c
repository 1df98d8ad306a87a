/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "sample_screen.h"

static void parts_and_keys(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	state_open(&state);
	sample_draw(&state, 110, 60, true, &screen);
	sample_has(&screen, "100 objects, 10.9 KiB in use");
	sample_has(&screen, "dict_values");
	sample_has(&screen, "inline                 100  100%");
	sample_has(&screen, "Shared keys: 2 of 5, 144 B");
	sample_has(&screen, "a, b");
	sample_has(&screen, "with the next census");
	sample_has(&screen, "slots: saves 4.7 KiB");
	sample_has(&screen, "add __slots__ =");
}

static void samples(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct picture *pic = sample_picture();
	struct sample_screen screen;

	sample_state(&state);
	state_open(&state);
	pic->samples.type = 0x7f0000001000;
	pic->samples.count = 1;
	pic->samples.list = calloc(1, sizeof(*pic->samples.list));
	pic->samples.list[0] = (struct picture_sample){
		.address = 0x7f00deadbeef,
		.refcount = 3,
		.bytes = 112,
		.items = 7,
		.attributes = calloc(2, sizeof(char *)),
		.attributes_count = 2,
		.holds = strdup("str, int"),
		.value = strdup("\033[31mred"),
	};
	pic->samples.list[0].attributes[0] = strdup("path");
	pic->samples.list[0].attributes[1] = strdup("body");
	assert_int_equal(state_feed(&state, pic, SAMPLE_NOW + 1), 0);
	sample_draw(&state, 110, 60, true, &screen);
	sample_has(&screen, "0x7f00deadbeef  112 B, 3 references, age -, 7 items");
	sample_has(&screen, "attributes: path, body");
	sample_has(&screen, "holds str, int");
	sample_has(&screen, "value: ?[31mred");
}

static void ages(void **unused)
{
	static const struct {
		enum picture_age age;
		const char *shown;
	} rows[] = {
		{ PICTURE_AGE_IS, "age 1m05s" },
		{ PICTURE_AGE_LEAST, "age >1m05s" },
		{ PICTURE_AGE_MOST, "age <1m06s" },
		{ PICTURE_AGE_UNKNOWN, "age -" },
	};
	_cleanup_state_ struct state state = { 0 };
	struct picture *pic = sample_picture();
	struct sample_screen screen;

	sample_state(&state);
	state_open(&state);
	pic->samples.type = 0x7f0000001000;
	pic->samples.count = 1;
	pic->samples.list = calloc(1, sizeof(*pic->samples.list));
	assert_int_equal(state_feed(&state, pic, SAMPLE_NOW + 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pic->samples.list[0].age = rows[i].age;
		pic->samples.list[0].age_ns = 65900000000;
		sample_draw(&state, 110, 60, true, &screen);
		sample_has(&screen, rows[i].shown);
	}
}

static void gone(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	state_open(&state);
	assert_int_equal(state_feed(&state, picture_new(), SAMPLE_NOW + 1), 0);
	sample_draw(&state, 80, 24, true, &screen);
	sample_has(&screen, "no instance is left");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_and_keys),
		cmocka_unit_test(samples),
		cmocka_unit_test(ages),
		cmocka_unit_test(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
