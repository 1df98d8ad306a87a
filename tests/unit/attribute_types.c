/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/builtins.h"
#include "fake_python.h"

#include <pthread.h>

#define A (WORLD_STATIC + 0x5000)
#define B (WORLD_STATIC + 0x6000)
#define C (WORLD_STATIC + 0x7000)

static struct world w;

static int setup(void **state)
{
	world_init(&w, "3.11");
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static void a_type_is_read_once(void **state)
{
	struct type *type;
	size_t count = types_count(w.worker.types);

	world_put_type(&w, A, "app.Thing", TPFLAGS_HAVE_GC, 48);
	type = world_type(&w, A);
	assert_non_null(type);
	assert_int_equal(type->addr, A);
	assert_int_equal(type->meta, WORLD_TYPE);
	assert_int_equal(type->pre, 16);
	assert_int_equal(type->min_size, 64);
	assert_int_equal(type->dict_at, TYPE_DICT_NONE);
	assert_false(type->python_class);
	assert_int_equal(type->base_type->addr, WORLD_OBJECT);
	assert_ptr_equal(world_type(&w, A), type);
	assert_int_equal(types_count(w.worker.types), count + 1);
	assert_ptr_equal(types_at(w.worker.types, count), type);
}

static void what_is_no_type_is_none(void **state)
{
	static const struct {
		uint32_t offset;
		uint64_t value;
	} insane[] = {
		{ 32, 0 }, /* tp_basicsize, 3.11 */
		{ 32, 8 },
		{ 32, 1 << 21 },
		{ 32, UINT64_MAX },
		{ 40, 1 << 21 }, /* tp_itemsize */
		{ 40, UINT64_MAX },
		{ 168, 0 }, /* tp_flags: not ready */
		{ 168, 1ull << 40 | TPFLAGS_READY },
		{ 8, 0 }, /* ob_type */
		{ 8, 0x1234 },
		{ 8, WORLD_OBJECT }, /* no metatype */
		{ 8, 0xdead0000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(insane); i++) {
		uint64_t addr = A + 0x400 * i;

		world_put_type(&w, addr, "x", 0, 48);
		fake_u64(&w.fake, addr + insane[i].offset, insane[i].value);
		assert_null(world_type(&w, addr));
		assert_null(world_type(&w, addr)); /* remembered */
	}
	assert_null(world_type(&w, 0));
	assert_null(world_type(&w, A + 4));
	assert_null(world_type(&w, 0x30000000)); /* not mapped */
	assert_null(world_type(&w, UINT64_MAX - 7));
}

/* A block of pymalloc is too small to be one, whatever is in it. */
static void pools_hold_no_types(void **state)
{
	uint64_t block = world_pool(&w, 0, 31);

	world_put_type(&w, block, "x", 0, 48);
	assert_null(world_type(&w, block));
}

static void circles_of_metatypes_end(void **state)
{
	for (int i = 0; i < 3; i++)
		world_put_type(&w, A + 0x1000 * (uint64_t)i, "meta", TPFLAGS_TYPE_SUBCLASS, 904);
	fake_u64(&w.fake, A + 8, B);
	fake_u64(&w.fake, B + 8, C);
	fake_u64(&w.fake, C + 8, B); /* A -> B -> C -> B ... */
	assert_null(world_type(&w, A));
}

static void circles_of_bases_end(void **state)
{
	world_put_type(&w, A, "a", 0, 48);
	world_put_type(&w, B, "b", 0, 48);
	fake_u64(&w.fake, A + 256, B); /* tp_base */
	fake_u64(&w.fake, B + 256, A);
	assert_non_null(world_type(&w, A));
	assert_non_null(world_type(&w, B));
	assert_null(world_type(&w, A)->builtin);
	world_put_type(&w, C, "c", 0, 48);
	fake_u64(&w.fake, C + 256, C);
	assert_non_null(world_type(&w, C));
	assert_null(world_type(&w, C)->builtin);
}

/* Deeper than any stack would bear if each base were a call. */
static void long_chains_of_bases_end(void **state)
{
	const uint64_t base = 0x40000000, step = 0x400;
	const unsigned int count = 20000;
	_cleanup_maps_ struct maps *more = fake_maps("10000000-10040000 rw-p 00000000 08:01 42 /p\n"
						     "40000000-42000000 rw-p 00000000 00:00 0 \n");
	_cleanup_memory_ struct memory *mem = NULL;

	fake_map(&w.fake, base, 0x2000000);
	for (unsigned int i = 0; i < count; i++) {
		w.text = WORLD_TEXTS;
		world_put_type(&w, base + i * step, "deep", 0, 48);
		fake_u64(&w.fake, base + i * step + 256, base + (i + 1) * step);
	}
	w.shared.maps = more;
	assert_int_equal(memory_clone(w.fake.mem, &mem), 0);
	worker_fini(&w.worker); /* its copy of the memory has one segment less */
	assert_int_equal(worker_init(&w.worker, &w.shared, &w.visitor, mem), 0);
	assert_non_null(world_type(&w, base));
	w.shared.maps = w.maps;
}

static void the_dict_is_where_the_flags_say(void **state)
{
	struct type *type;

	world_put_type(&w, A, "managed", TPFLAGS_HAVE_GC | w.layout->flag_managed_dict, 24);
	type = world_type(&w, A);
	assert_int_equal(type->dict_at, TYPE_DICT_MANAGED);
	assert_int_equal(type->pre, 32);
	world_put_type(&w, B, "at", TPFLAGS_HAVE_GC, 32);
	fake_u64(&w.fake, B + w.layout->tp_dictoffset, 16);
	assert_int_equal(world_type(&w, B)->dict_at, TYPE_DICT_AT);
	world_put_type(&w, C, "end", TPFLAGS_HAVE_GC, 32);
	fake_u64(&w.fake, C + w.layout->tp_dictoffset, (uint64_t)-8);
	fake_u64(&w.fake, C + w.layout->tp_itemsize, 4);
	assert_int_equal(world_type(&w, C)->dict_at, TYPE_DICT_END);
}

/* Offsets that do not lie in the object, and a pre-header that does not lie in the block. */
static void a_dict_that_cannot_be_there_is_none(void **state)
{
	static const uint64_t offsets[] = { 25, 1 << 20, INT64_MAX, (uint64_t)INT64_MIN,
					    (uint64_t)-65 };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		uint64_t addr = A + 0x400 * i;

		world_put_type(&w, addr, "x", 0, 32);
		fake_u64(&w.fake, addr + w.layout->tp_dictoffset, offsets[i]);
		fake_u64(&w.fake, addr + w.layout->tp_itemsize, 4);
		assert_int_equal(world_type(&w, addr)->dict_at, TYPE_DICT_NONE);
	}
	world_put_type(&w, C, "no gc", w.layout->flag_managed_dict, 32);
	assert_int_equal(world_type(&w, C)->dict_at, TYPE_DICT_NONE);
}

static void subclasses_are_what_their_base_is(void **state)
{
	world_put_type(&w, A, "module", TPFLAGS_HAVE_GC, 56);
	world_put_type(&w, B, "app.Module", TPFLAGS_HAVE_GC, 72);
	fake_u64(&w.fake, B + w.layout->tp_base, A);
	assert_true(world_type(&w, B)->is_module);
	assert_ptr_equal(world_type(&w, B)->builtin, world_type(&w, A)->builtin);
	assert_false(world_type(&w, WORLD_DICT)->is_module);
	world_put_type(&w, C, "app.Dict", TPFLAGS_HAVE_GC | TPFLAGS_DICT_SUBCLASS, 72);
	fake_u64(&w.fake, C + w.layout->tp_base, WORLD_DICT);
	assert_string_equal(world_type(&w, C)->builtin->name, "dict");
}

/* More than the table and the first slab hold at first. */
static void many_types_fit(void **state)
{
	struct type *first = NULL;
	size_t count = 0;

	for (uint64_t addr = WORLD_ARENA; addr + 0x400 < WORLD_ARENA + (1 << 20); addr += 448) {
		w.text = WORLD_TEXTS;
		world_put_type(&w, addr, "m", 0, 32);
		assert_non_null(world_type(&w, addr));
		first = first ? first : world_type(&w, addr);
		count++;
	}
	assert_true(count > 2048);
	assert_int_equal(types_count(w.shared.types), count + 3);
	assert_ptr_equal(world_type(&w, WORLD_ARENA), first);
	for (size_t i = 0; i < count; i++) {
		struct type *type = world_type(&w, WORLD_ARENA + 448 * i);

		assert_int_equal(type->addr, WORLD_ARENA + 448 * i);
		assert_ptr_equal(types_at(w.shared.types, type->index), type);
	}
}

static void what_is_settled_adds_up(void **state)
{
	struct tally one = { .objects = 1, .facts.attributes_max = 3 },
		     two = { .objects = 5, .sizeof_bytes = -8, .facts.attributes_max = 2 }, sum;
	struct type_samples many = {}, found;

	for (uint64_t i = 0; i < 2ull * TYPE_SAMPLES; i++)
		type_sample_keys(&many, 0x10000 + 64 * i);
	assert_int_equal(types_settle(w.shared.types, w.dict, &one, NULL), 0);
	assert_int_equal(types_settle(w.shared.types, w.dict, &two, &many), 0);
	assert_int_equal(types_settle(w.shared.types, w.dict, &(struct tally){}, &many), 0);
	sum = tally_unpack(&w.dict->settled);
	assert_int_equal(sum.objects, 6);
	assert_int_equal(sum.sizeof_bytes, -8);
	assert_int_equal(sum.facts.attributes_max, 3);
	found = types_samples(w.dict);
	assert_true(found.met >= TYPE_SAMPLES);
	for (int i = 0; i < TYPE_SAMPLES; i++)
		assert_in_range(found.keys[i], 0x10000, 0x10000 + 128 * TYPE_SAMPLES);
	assert_int_equal(types_samples(w.object).met, 0);
}

#define CROWD 4
#define CROWD_TYPES 0x20u

/* Each of them looks up the same types, in another order. */
static void *look_up_all(void *arg)
{
	size_t start = (size_t)(uintptr_t)arg * CROWD_TYPES / CROWD;

	for (size_t i = 0; i < CROWD_TYPES; i++) {
		uint64_t addr = A + 0x400 * ((start + i) % CROWD_TYPES);
		const struct type *type = world_type(&w, addr);

		if (!type || type->addr != addr || !type->complete)
			return NULL;
	}
	return arg;
}

static void threads_read_a_type_once(void **state)
{
	size_t count = types_count(w.shared.types);
	pthread_t threads[CROWD];

	for (size_t i = 0; i < CROWD_TYPES; i++) {
		world_put_type(&w, A + 0x400 * i, "x", 0, 48);
		fake_u64(&w.fake, A + 0x400 * i + w.layout->tp_base,
			 A + 0x400 * ((i + 7) % CROWD_TYPES / 2));
	}
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_up_all,
						(void *)(uintptr_t)(i + 1)),
				 0);
	for (size_t i = 0; i < CROWD; i++) {
		void *found = NULL;

		assert_int_equal(pthread_join(threads[i], &found), 0);
		assert_non_null(found);
	}
	assert_int_equal(types_count(w.shared.types), count + CROWD_TYPES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_type_is_read_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_type_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(pools_hold_no_types, setup, teardown),
		cmocka_unit_test_setup_teardown(circles_of_metatypes_end, setup, teardown),
		cmocka_unit_test_setup_teardown(circles_of_bases_end, setup, teardown),
		cmocka_unit_test_setup_teardown(long_chains_of_bases_end, setup, teardown),
		cmocka_unit_test_setup_teardown(the_dict_is_where_the_flags_say, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dict_that_cannot_be_there_is_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(subclasses_are_what_their_base_is, setup, teardown),
		cmocka_unit_test_setup_teardown(many_types_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_settled_adds_up, setup, teardown),
		cmocka_unit_test_setup_teardown(threads_read_a_type_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
