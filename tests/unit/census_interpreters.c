/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "census/interpreters.h"
#include "fake.h"

#include <errno.h>

#define RUNTIME 0x10000000ull
#define INTERPS 0x20000000ull
#define STEP 0x4000ull /* more than interp_next of any version */

static struct fake fake;
static const struct layout *layout;
static struct python py;
static uint64_t list[INTERPRETERS_MAX];

static int setup(void **state)
{
	fake = (struct fake){};
	layout = fake_layout("3.12");
	py = (struct python){ .runtime = RUNTIME };
	fake_map(&fake, RUNTIME, 0x10000);
	fake_map(&fake, INTERPS, 300 * STEP);
	return 0;
}

static int teardown(void **state)
{
	fake_fini(&fake);
	return 0;
}

static uint64_t interp(unsigned int i)
{
	return INTERPS + i * STEP;
}

static void set(uint64_t main, uint64_t head)
{
	fake_u64(&fake, RUNTIME + layout->runtime_interpreters_main, main);
	fake_u64(&fake, RUNTIME + layout->runtime_interpreters_head, head);
}

static void chain(uint64_t from, uint64_t to)
{
	fake_u64(&fake, from + layout->interp_next, to);
}

static void main_comes_first(void **state)
{
	set(interp(0), interp(2));
	chain(interp(2), interp(1));
	chain(interp(1), interp(0));
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), 3);
	assert_int_equal(list[0], interp(0));
	assert_int_equal(list[1], interp(2));
	assert_int_equal(list[2], interp(1));
}

static void none_yet(void **state)
{
	set(0, 0);
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), -EAGAIN);
}

static void circles_end(void **state)
{
	set(interp(0), interp(0));
	chain(interp(0), interp(0));
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), 1);
	chain(interp(0), interp(1));
	chain(interp(1), interp(2));
	chain(interp(2), interp(1));
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), 3);
	chain(interp(2), interp(0));
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), 3);
}

static void many_are_cut_off(void **state)
{
	set(interp(0), interp(299));
	for (unsigned int i = 299; i > 0; i--)
		chain(interp(i), interp(i - 1));
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), INTERPRETERS_MAX);
	assert_int_equal(list[0], interp(0));
	assert_int_equal(list[255], interp(45));
}

static void a_wild_pointer_ends_the_list(void **state)
{
	set(interp(0), interp(1));
	chain(interp(1), 0xdead0000);
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), 3);
	set(interp(0), UINT64_MAX - 7);
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), 2);
	py.runtime = 0xdead0000;
	assert_int_equal(interpreters_list(&py, layout, fake.mem, list), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(main_comes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(none_yet, setup, teardown),
		cmocka_unit_test_setup_teardown(circles_end, setup, teardown),
		cmocka_unit_test_setup_teardown(many_are_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wild_pointer_ends_the_list, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
