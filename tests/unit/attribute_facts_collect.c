/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/dicts.h"
#include "attribute/facts_collect.h"
#include "fake_python.h"

#define THING (WORLD_STATIC + 0x5000)
#define MIXIN (WORLD_STATIC + 0x6000)
#define NAME (WORLD_STATIC + 0x7000)
#define MRO (WORLD_STATIC + 0x8000)
#define TABLES (WORLD_STATIC + 0x9000)
#define WORDS (WORLD_STATIC + 0xb000)
#define UNICODE 1
#define SPLIT 2

static struct world w;

static int setup(void **state)
{
	world_init(&w, "3.12");
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

/* The interned str of one letter. */
static uint64_t word(char letter)
{
	uint64_t at = WORDS + (uint64_t)(letter - 'a') * 64;

	world_put_str(&w, at, (char[]){ letter, '\0' });
	return at;
}

/* Table @i with the names that are the letters of @names. */
static uint64_t table(int i, const char *names, uint8_t kind)
{
	uint64_t at = TABLES + (uint64_t)i * 0x200;

	world_put_keys(&w, at, 3, kind, (int64_t)strlen(names));
	for (size_t k = 0; names[k]; k++)
		fake_u64(&w.fake,
			 at + w.layout->dk_indices + 8 + k * w.layout->sizeof_unicode_entry,
			 word(names[k]));
	return at;
}

/* A Python class whose mro also has @other. */
static struct type *thing(uint64_t other, uint64_t shared_keys)
{
	const struct layout *l = w.layout;
	uint64_t mro[] = { THING, other, WORLD_OBJECT };

	world_put_str(&w, NAME, "Thing");
	world_put_type(&w, THING, "Thing",
		       TPFLAGS_HEAPTYPE | TPFLAGS_HAVE_GC | l->flag_managed_dict, 16);
	fake_u64(&w.fake, THING + l->tp_name, NAME + l->sizeof_ascii);
	fake_u64(&w.fake, THING + l->ht_name, NAME);
	fake_u64(&w.fake, THING + l->ht_cached_keys, shared_keys);
	fake_u64(&w.fake, THING + l->tp_mro, MRO);
	fake_u64(&w.fake, MRO + l->ob_size, 3);
	for (size_t i = 0; i < 3; i++)
		fake_u64(&w.fake, MRO + l->tuple_items + 8 * i, mro[i]);
	return world_type(&w, THING);
}

static struct facts collect(struct type *type, const struct type_samples *samples)
{
	struct names names = { .layout = w.layout, .mem = w.fake.mem };
	struct facts_collect ctx = { .names = &names,
				     .types = w.worker.types,
				     .whatif = &w.shared.whatif };
	const struct tally tally = {
		.facts = { .carriers = 10, .attributes = 20, .attributes_max = 2 }
	};
	struct facts facts;

	assert_true(type && type->python_class);
	assert_int_equal(facts_collect(&ctx, type, &tally, samples, &facts), 0);
	return facts;
}

static void a_plain_class(void **state)
{
	struct facts facts =
		collect(thing(WORLD_OBJECT, table(0, "ab", SPLIT)), &(struct type_samples){ 0 });

	assert_int_equal(facts.names, 2);
	assert_int_equal(facts.late_count, 0);
	assert_int_equal(facts.slots_bytes, 48);
	assert_int_equal(facts.shared_bytes, 48 + 32);
	assert_true(facts.dict_on_demand);
	assert_false(facts.shared_lost || facts.reordered || facts.dataclass ||
		     facts.cached_property);
	assert_null(facts.bases);
	facts_fini(&facts);
}

static void late_names(void **state)
{
	const struct type_samples samples = {
		.met = 2,
		.keys = { table(1, "abz", UNICODE), table(2, "ab", UNICODE) },
	};
	struct facts facts = collect(thing(WORLD_OBJECT, table(0, "ab", SPLIT)), &samples);

	assert_int_equal(facts.sampled, 2);
	assert_int_equal(facts.late_count, 1);
	assert_string_equal(facts.late[0], "z");
	assert_int_equal(facts.names, 3);
	assert_false(facts.same_names || facts.reordered);
	facts_fini(&facts);
}

static void another_order(void **state)
{
	const struct type_samples samples = { .met = 1, .keys = { table(1, "ba", UNICODE) } };
	struct facts facts = collect(thing(WORLD_OBJECT, table(0, "ab", SPLIT)), &samples);

	assert_true(facts.reordered && facts.same_names);
	assert_string_equal(facts.misplaced, "b");
	assert_int_equal(facts.late_count, 0);
	facts_fini(&facts);
}

static void a_mixin_with_a_dict_forbids_slots(void **state)
{
	struct facts facts;

	world_put_type(&w, MIXIN, "Mixin",
		       TPFLAGS_HEAPTYPE | TPFLAGS_HAVE_GC | w.layout->flag_managed_dict, 16);
	facts = collect(thing(MIXIN, table(0, "ab", SPLIT)), &(struct type_samples){ 0 });
	assert_int_equal(facts.slots_bytes, 0);
	facts_fini(&facts);
}

static void what_cannot_be_read_is_left_out(void **state)
{
	const struct type_samples samples = { .met = 2,
					      .keys = { 0x1234560, TABLES + 0x1800 },
					      .orphan = 8 };
	struct facts facts = collect(thing(WORLD_OBJECT, 0x7777770), &samples);

	assert_int_equal(facts.names, 0);
	assert_int_equal(facts.late_count, 0);
	facts_fini(&facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_plain_class, setup, teardown),
		cmocka_unit_test_setup_teardown(late_names, setup, teardown),
		cmocka_unit_test_setup_teardown(another_order, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mixin_with_a_dict_forbids_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_left_out, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
