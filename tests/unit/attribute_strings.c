/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/strings.h"
#include "base/util.h"
#include <stdio.h>

static void add(struct strings *s, const char *text, uint64_t addr, uint64_t size)
{
	strings_add(s, NULL,
		    &(struct strings_text){ .addr = addr,
					    .size = size,
					    .len = strlen(text),
					    .data = (const uint8_t *)text,
					    .have = strlen(text) });
}

static void equal_ones_are_counted(void **state)
{
	struct strings *s = strings_new();
	struct strings_top top[2];
	struct strings_sum sum;

	for (uint64_t i = 0; i < 5; i++)
		add(s, "the same text", 0x1000 + i, 64);
	for (uint64_t i = 0; i < 3; i++)
		add(s, "short", 0x2000 + i, 48);
	add(s, "alone", 0x3000, 48);
	add(s, "", 0x4000, 48);
	strings_add(s, NULL, &(struct strings_text){ .addr = 0x5000, .size = 5056, .len = 5000 });
	sum = strings_sum(s);
	assert_int_equal(sum.copies, 4 + 2);
	assert_int_equal(sum.bytes, 4 * 64 + 2 * 48);
	assert_int_equal(sum.distinct, 4);
	assert_int_equal(sum.sampling, 1);
	assert_int_equal(sum.unseen_bytes, 5056);
	assert_int_equal(strings_top(s, top, 2), 2);
	assert_int_equal(top[0].addr, 0x1000);
	assert_int_equal(top[0].copies, 4);
	assert_int_equal(top[1].bytes, 96);
	strings_free(s);
}

/* More than one piece, once from the target's memory and once at hand: the same; one byte more is
 * not. */
static void long_ones_are_read(void **state)
{
	static uint8_t text[200003];
	_cleanup_memory_ struct memory *mem = NULL;
	struct strings *s = strings_new();
	struct strings_text t = { .addr = 1, .size = 200064, .contents = 0x10000, .len = 200001 };

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(memory_buffer_new(0x10000, text, sizeof(text), &mem), 0);
	strings_add(s, mem, &t);
	t.data = text;
	t.have = 100; /* not enough */
	strings_add(s, mem, &t);
	t.have = t.len;
	strings_add(s, NULL, &t);
	t.len++;
	strings_add(s, mem, &t);
	t.contents = 0x90000;
	strings_add(s, mem, &t);
	assert_int_equal(strings_sum(s).copies, 2);
	assert_int_equal(strings_sum(s).distinct, 2);
	assert_int_equal(strings_sum(s).unseen_bytes, 200064);
	strings_free(s);
}

static void threads_come_together(void **state)
{
	struct strings *a = strings_new(), *b = strings_new();

	add(a, "one", 1, 48);
	add(a, "two", 2, 48);
	add(b, "one", 3, 48);
	strings_merge(a, b);
	assert_int_equal(strings_sum(a).copies, 1);
	assert_int_equal(strings_sum(a).distinct, 2);
	strings_free(a);
	strings_free(b);
}

/* A million different strs in pairs and one with very many copies: estimated to a few percent. */
static void many_are_sampled(void **state)
{
	struct strings *s = strings_new();
	struct strings_sum sum;
	int64_t copies = 500000 + 99999;

	for (uint64_t i = 0; i < 100000; i++)
		add(s, "again and again", i, 64);
	for (uint64_t i = 0; i < 1000000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "number %d", (int)(i / 2));
		add(s, text, i, 64);
	}
	sum = strings_sum(s);
	assert_true(sum.sampling > 1);
	assert_true(sum.copies > copies * 95 / 100 && sum.copies < copies * 105 / 100);
	assert_true(sum.bytes == sum.copies * 64);
	strings_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_ones_are_counted),
		cmocka_unit_test(long_ones_are_read),
		cmocka_unit_test(threads_come_together),
		cmocka_unit_test(many_are_sampled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
