/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/addrset.h"

#include <pthread.h>

static void an_address_is_new_once(void **state)
{
	struct addrset *set = addrset_new(1u << 20);

	assert_non_null(set);
	for (uint64_t i = 1; i <= 100000; i++)
		assert_true(addrset_add(set, i * 48));
	for (uint64_t i = 1; i <= 100000; i++)
		assert_false(addrset_add(set, i * 48));
	assert_true(addrset_add(set, UINT64_MAX));
	assert_false(addrset_is_full(set));
	addrset_free(set);
}

/* Full: what is not known counts as known, and the caller can tell. */
static void it_is_bounded(void **state)
{
	struct addrset *set = addrset_new(300);
	uint64_t added = 0;

	for (uint64_t i = 1; i <= 100000; i++)
		added += addrset_add(set, i * 16);
	assert_true(added >= 300 && added < 1200);
	assert_true(addrset_is_full(set));
	addrset_free(set);
}

static void *add_many(void *arg)
{
	uint64_t added = 0;

	for (uint64_t i = 1; i <= 50000; i++)
		added += addrset_add(arg, i * 16);
	return (void *)added;
}

static void threads_share_it(void **state)
{
	struct addrset *set = addrset_new(1u << 20);
	pthread_t threads[4];
	uint64_t sum = 0;

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, set), 0);
	for (int i = 0; i < 4; i++) {
		void *added;

		pthread_join(threads[i], &added);
		sum += (uint64_t)added;
	}
	assert_int_equal(sum, 50000);
	addrset_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_new_once),
		cmocka_unit_test(it_is_bounded),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
