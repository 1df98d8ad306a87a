/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "layout/layout.h"
#include "model/fresh.h"

/* The test process plays the target: a type and blocks in its own memory, laid out as CPython 3.11
 * does. */
static uint8_t type[1024] __attribute__((aligned(16)));
static uint8_t blocks[4][64] __attribute__((aligned(16)));

struct fixture {
	struct process *proc;
	struct memory *mem;
	const struct layout *layout;
	struct fresh *fresh;
};

static void put(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static const struct layout *layout_311(void)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	for (size_t i = 0; i < count; i++)
		if (streq(all[i]->name, "3.11"))
			return all[i];
	fail_msg("no table for 3.11");
	return NULL;
}

/* A GC type that is its own metatype. */
static void make_type(const struct layout *l)
{
	put(type + l->ob_refcnt, 10);
	put(type + l->ob_type, address(type));
	put(type + l->tp_basicsize, 24);
	put(type + l->tp_flags, TPFLAGS_READY | TPFLAGS_HAVE_GC | TPFLAGS_TYPE_SUBCLASS);
}

static int setup(void **state)
{
	static struct fixture f;
	struct error err = {};

	f.layout = layout_311();
	make_type(f.layout);
	assert_int_equal(process_open(getpid(), &f.proc, &err), 0);
	assert_int_equal(memory_live_new(getpid(), &f.mem), 0);
	assert_int_equal(fresh_new(f.proc, f.layout, f.mem, false, &f.fresh), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fresh_freep(&f->fresh);
	memory_freep(&f->mem);
	process_freep(&f->proc);
	memset(blocks, 0, sizeof(blocks));
	return 0;
}

struct seen {
	int asked, typed, caught_up;
	uint64_t addr, type;
	bool want;
	int want_most; /* so many times it is wanted; 0: as @want says */
};

static bool wanted(void *ctx, uint64_t addr, uint64_t time_ns)
{
	struct seen *seen = ctx;

	seen->asked++;
	return seen->want_most ? seen->asked <= seen->want_most : seen->want;
}

static void catch_up(void *ctx)
{
	struct seen *seen = ctx;

	seen->caught_up++;
}

static void typed(void *ctx, uint64_t addr, uint64_t found)
{
	struct seen *seen = ctx;

	seen->typed++;
	seen->addr = addr;
	seen->type = found;
}

static int resolve(struct fresh *fresh, uint64_t before_ns, struct seen *seen)
{
	const struct fresh_asker asker = { wanted, catch_up, typed, seen };

	return fresh_resolve(fresh, before_ns, &asker);
}

static void a_header_is_read_when_it_is_old_enough(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .want = true };

	put(blocks[0] + 16, 1);
	put(blocks[0] + 24, address(type));
	assert_int_equal(fresh_push(f->fresh, address(blocks[0]), 100), 0);
	assert_int_equal(resolve(f->fresh, 99, &seen), 0);
	assert_int_equal(seen.asked, 0);
	assert_int_equal(resolve(f->fresh, 100, &seen), 0);
	assert_int_equal(seen.typed, 1);
	assert_int_equal(seen.addr, address(blocks[0]));
	assert_int_equal(seen.type, address(type));
	assert_int_equal(resolve(f->fresh, 200, &seen), 0);
	assert_int_equal(seen.typed, 1);
}

static void put_hook(uint8_t *at, uint8_t domain)
{
	memset(at + 8, 0xfd, 8);
	at[8] = domain;
}

/* A large block has two headers of debug hooks, a small one has one. */
static void headers_are_read_behind_hooks(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .want = true };

	fresh_freep(&f->fresh);
	assert_int_equal(fresh_new(f->proc, f->layout, f->mem, true, &f->fresh), 0);
	for (int hooks = 1; hooks <= 2; hooks++) {
		uint8_t *block = blocks[0];

		memset(blocks, 0, sizeof(blocks));
		put_hook(block, hooks == 2 ? 'r' : 'o');
		if (hooks == 2)
			put_hook(block + 16, 'o');
		put(block + 16 * hooks + 16, 1);
		put(block + 16 * hooks + 24, address(type));
		assert_int_equal(fresh_push(f->fresh, address(block), 1), 0);
		assert_int_equal(resolve(f->fresh, 1, &seen), 0);
		assert_int_equal(seen.typed, hooks);
		assert_int_equal(seen.type, address(type));
	}
}

static void raw_blocks_and_wrong_fronts_have_no_type(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .want = true };

	put(blocks[0], 1); /* the type has a GC head in front: here it has none */
	put(blocks[0] + 8, address(type));
	assert_int_equal(fresh_push(f->fresh, address(blocks[0]), 1), 0);
	assert_int_equal(resolve(f->fresh, 1, &seen), 0);
	assert_int_equal(seen.typed, 1);
	assert_int_equal(seen.type, 0);
}

static void what_nobody_wants_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {};

	for (int i = 0; i < 10000; i++)
		assert_int_equal(fresh_push(f->fresh, address(blocks[1]), 1), 0);
	assert_int_equal(resolve(f->fresh, 1, &seen), 0);
	assert_int_equal(seen.asked, 10000);
	assert_int_equal(seen.typed, 0);
}

static void all_of_many_are_resolved(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .want = true };

	for (int i = 0; i < 10000; i++)
		assert_int_equal(fresh_push(f->fresh, address(blocks[2]), (uint64_t)i), 0);
	assert_int_equal(resolve(f->fresh, 4999, &seen), 0);
	assert_int_equal(seen.typed, 5000);
	fresh_clear(f->fresh);
	assert_int_equal(resolve(f->fresh, 20000, &seen), 0);
	assert_int_equal(seen.typed, 5000);
}

/* What was read belongs to what has come after it. */
static void what_dies_while_it_is_read_is_not_typed(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .want_most = 1 };

	put(blocks[0] + 16, 1);
	put(blocks[0] + 24, address(type));
	assert_int_equal(fresh_push(f->fresh, address(blocks[0]), 1), 0);
	assert_int_equal(resolve(f->fresh, 1, &seen), 0);
	assert_int_equal(seen.caught_up, 1);
	assert_int_equal(seen.asked, 2);
	assert_int_equal(seen.typed, 0);
}

/* Its thread had no CPU between the allocation and the header. */
static void a_late_header_is_looked_at_again(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .want = true };
	uint64_t now = 1;

	assert_int_equal(fresh_push(f->fresh, address(blocks[0]), 1), 0);
	assert_int_equal(resolve(f->fresh, now, &seen), 0);
	assert_int_equal(seen.typed, 1);
	assert_int_equal(seen.type, 0);
	put(blocks[0] + 16, 1);
	put(blocks[0] + 24, address(type));
	now += 9 * FRESH_AGE_NS - 1;
	assert_int_equal(resolve(f->fresh, now, &seen), 0);
	assert_int_equal(seen.typed, 1);
	assert_int_equal(resolve(f->fresh, now + 1, &seen), 0);
	assert_int_equal(seen.typed, 2);
	assert_int_equal(seen.type, address(type));
	assert_int_equal(resolve(f->fresh, UINT64_MAX, &seen), 0);
	assert_int_equal(seen.typed, 2);
}

static void what_never_has_a_type_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .want = true };
	uint64_t age = FRESH_AGE_NS;

	assert_int_equal(fresh_push(f->fresh, address(blocks[0]), 1), 0);
	for (int i = 0; i < FRESH_LOOKS + 2; i++, age *= 10)
		assert_int_equal(resolve(f->fresh, age, &seen), 0);
	assert_int_equal(seen.typed, FRESH_LOOKS);
}

static void a_dying_object_says_its_type(void **state)
{
	struct fixture *f = *state;
	struct session_event event = { .kind = EVENT_FREE, .addr = address(blocks[3]) };

	event.types[1] = address(type);
	assert_int_equal(fresh_type_of_dead(f->fresh, &event),
			 0); /* not dead: a buffer that looks like it */
	event.flags = EVENT_FREE_DEAD_16;
	assert_int_equal(fresh_type_of_dead(f->fresh, &event), address(type));
	event.flags = EVENT_FREE_DEAD_0;
	event.types[0] = address(type); /* wrong front */
	assert_int_equal(fresh_type_of_dead(f->fresh, &event), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_header_is_read_when_it_is_old_enough, setup,
						teardown),
		cmocka_unit_test_setup_teardown(headers_are_read_behind_hooks, setup, teardown),
		cmocka_unit_test_setup_teardown(raw_blocks_and_wrong_fronts_have_no_type, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_nobody_wants_is_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(all_of_many_are_resolved, setup, teardown),
		cmocka_unit_test_setup_teardown(what_dies_while_it_is_read_is_not_typed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_late_header_is_looked_at_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_never_has_a_type_is_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dying_object_says_its_type, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
