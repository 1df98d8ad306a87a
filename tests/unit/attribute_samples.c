/* SPDX-License-Identifier: BSD-2-Clause */
/* Which instances are kept, and what is read of one in memory made by hand, as 3.11 lays it out. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "attribute/samples.h"
#include "base/util.h"

#define BASE 0x100000ull
#define META BASE
#define LIST (BASE + 0x1000)
#define STR (BASE + 0x2000)
#define OBJECT (BASE + 0x3000)
#define ITEMS (BASE + 0x4000)
#define TEXT (BASE + 0x5000)

static uint8_t heap[0x6000];
static const struct layout *layout;
static struct memory *mem;
static struct types *types;

static void put(uint64_t addr, uint64_t value)
{
	memcpy(heap + (addr - BASE), &value, sizeof(value));
}

static void put_type(uint64_t addr, const char *name, uint64_t flags, uint64_t basicsize)
{
	put(addr + layout->ob_refcnt, 1);
	put(addr + layout->ob_type, META);
	put(addr + layout->tp_flags, TPFLAGS_READY | flags);
	put(addr + layout->tp_basicsize, basicsize);
	put(addr + layout->tp_name, addr + 0x800);
	strcpy((char *)heap + (addr - BASE) + 0x800, name);
}

static bool any(const void *ctx, uint64_t addr)
{
	return true;
}

static int setup(void **state)
{
	const struct layout *const *all;
	size_t count;

	all = layout_all(&count);
	for (size_t i = 0; i < count; i++) {
		if (all[i]->major == 3 && all[i]->minor == 11 && !all[i]->debug)
			layout = all[i];
	}
	assert_non_null(layout);
	put_type(META, "type", TPFLAGS_TYPE_SUBCLASS, layout->sizeof_type);
	put_type(LIST, "list", TPFLAGS_LIST_SUBCLASS, layout->sizeof_list);
	put_type(STR, "str", TPFLAGS_UNICODE_SUBCLASS, layout->sizeof_unicode);
	put(OBJECT + layout->ob_refcnt, 2);
	put(OBJECT + layout->ob_type, LIST);
	put(OBJECT + layout->ob_size, 3);
	put(OBJECT + layout->list_items, ITEMS);
	for (uint64_t i = 0; i < 3; i++)
		put(ITEMS + 8 * i, i < 2 ? TEXT : OBJECT);
	put(TEXT + layout->ob_refcnt, 2);
	put(TEXT + layout->ob_type, STR);
	put(TEXT + layout->str_length, 5);
	put(TEXT + layout->str_state,
	    1u << layout->str_kind_shift | layout->str_compact_mask | layout->str_ascii_mask);
	memcpy(heap + (TEXT - BASE) + layout->sizeof_ascii, "hello", 6);
	return memory_buffer_new(BASE, heap, sizeof(heap), &mem) ||
	       types_new(layout, mem, any, NULL, &types);
}

static int teardown(void **state)
{
	types_free(types);
	memory_free(mem);
	return 0;
}

static int read_one(uint64_t type, uint64_t addr, bool values, struct sample *ret)
{
	struct samples_reader reader = {
		.names = { .layout = layout, .mem = mem },
		.types = types,
		.values = values,
	};

	assert_non_null(types_get(types, type));
	return samples_read(&reader, types_get(types, type), addr, ret);
}

static void a_list(void **state)
{
	struct sample sample;

	assert_int_equal(read_one(LIST, OBJECT, true, &sample), 0);
	assert_int_equal(sample.refcount, 2);
	assert_int_equal(sample.items, 3);
	assert_string_equal(sample.holds, "str (2), list (1)");
	assert_null(sample.value);
	samples_fini(&sample);
}

static void a_value_only_when_asked(void **state)
{
	struct sample sample;

	assert_int_equal(read_one(STR, TEXT, false, &sample), 0);
	assert_int_equal(sample.items, 5);
	assert_null(sample.value);
	samples_fini(&sample);
	assert_int_equal(read_one(STR, TEXT, true, &sample), 0);
	assert_string_equal(sample.value, "'hello'");
	samples_fini(&sample);
}

static void what_is_no_instance_any_more(void **state)
{
	struct sample sample = { .items = 77 };

	assert_int_equal(read_one(STR, OBJECT, false, &sample), -ENOENT);
	assert_int_equal(read_one(LIST, BASE + sizeof(heap), false, &sample), -EFAULT);
	put(OBJECT + layout->ob_refcnt, 0);
	assert_int_equal(read_one(LIST, OBJECT, false, &sample), -ENOENT);
	put(OBJECT + layout->ob_refcnt, 2);
	assert_int_equal(sample.items, 77);
}

static void hostile_numbers(void **state)
{
	struct sample sample;

	put(OBJECT + layout->ob_size, UINT64_MAX);
	put(OBJECT + layout->list_items, BASE + sizeof(heap) - 8);
	assert_int_equal(read_one(LIST, OBJECT, false, &sample), 0);
	assert_true(sample.items >= 0);
	assert_null(sample.holds);
	samples_fini(&sample);
	put(OBJECT + layout->ob_size, 3);
	put(OBJECT + layout->list_items, ITEMS);
}

/* Every instance is as likely to be kept as any other. */
static void kept_by_chance(void **state)
{
	unsigned int kept[100] = { 0 };
	struct samples_met met = { 0 };

	assert_int_equal(samples_count(&met), 0);
	for (uint64_t run = 0; run < 4000; run++) {
		met.seen = 0;
		for (uint64_t i = 0; i < 100; i++)
			samples_meet(&met, i, 64);
		assert_int_equal(samples_count(&met), SAMPLES_MAX);
		for (size_t i = 0; i < SAMPLES_MAX; i++)
			kept[met.list[i].addr]++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) /* 200 expected, standard deviation 14 */
		assert_in_range(kept[i], 120, 280);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list),
		cmocka_unit_test(a_value_only_when_asked),
		cmocka_unit_test(what_is_no_instance_any_more),
		cmocka_unit_test(hostile_numbers),
		cmocka_unit_test(kept_by_chance),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
