/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/stdlib.h"
#include "fake_python.h"

#define TYPE (WORLD_STATIC + 0x5000)

static struct world w;
static struct type *type;
static uint64_t block, chunk, tuple;

static void build(const char *name, int64_t basicsize)
{
	world_init(&w, "3.11");
	world_put_type(&w, TYPE, name, 0, basicsize);
	type = world_type(&w, TYPE);
	block = world_pool(&w, 0, 19); /* 320 bytes */
	chunk = world_chunk(&w, 0x100, 4016);
	tuple = world_chunk(&w, 0x2000, 64);
	fake_u64(&w.fake, block, 1);
	fake_u64(&w.fake, block + 8, TYPE);
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

/* Behind the header. */
static void put(uint32_t offset, uint64_t value)
{
	fake_u64(&w.fake, block + 16 + offset, value);
}

static void assert_books(int64_t size, int64_t buffer, uint64_t torn)
{
	struct object obj = world_object(&w, block, 0, 320);

	*world_tally(&w, type) = (struct tally){};
	w.worker.torn = 0;
	assert_non_null(type->builtin);
	type->builtin->visit(&w.worker, type, &obj);
	worker_flush(&w.worker);
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, size);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_BUFFER], buffer);
	assert_int_equal(w.worker.torn, torn);
}

static void products_have_an_index_for_each_pool(void **state)
{
	build("itertools.product", 48);
	fake_u64(&w.fake, tuple + w.layout->ob_size, 500);
	put(0, tuple);
	put(8, chunk);
	assert_books(48 + 4000, 4016, 0);
	fake_u64(&w.fake, tuple + w.layout->ob_size, 1ull << 50);
	assert_books(48, 0, 1);
}

static void combinations_have_one_for_each_that_is_chosen(void **state)
{
	build("itertools.combinations", 56);
	put(8, chunk);
	put(24, 500);
	assert_books(56 + 4000, 4016, 0);
}

static void permutations_have_both(void **state)
{
	build("itertools.permutations", 64);
	fake_u64(&w.fake, tuple + w.layout->ob_size, 500);
	put(0, tuple);
	put(8, chunk);
	put(16, world_chunk(&w, 0x3000, 48));
	put(32, 4);
	assert_books(64 + 4000 + 32, 4016 + 48, 0);
}

static void a_struct_has_a_code_more_than_it_needs(void **state)
{
	build("_struct.Struct", 56);
	assert_books(56, 0, 0); /* not initialized */
	put(16, chunk);
	for (uint64_t i = 0; i < 5; i++)
		fake_u64(&w.fake, chunk + 32 * i, WORLD_STATIC);
	assert_books(56 + 6 * 32, 4016, 0);
	/* Codes without an end go on to where nothing is. */
	for (uint64_t at = chunk; at < WORLD_HEAP + 0x40000; at += 32)
		fake_u64(&w.fake, at, WORLD_STATIC);
	assert_books(56, 0, 1);
}

static void picklers_have_a_memo_and_what_they_write(void **state)
{
	uint64_t memo, output;

	for (int less = 0; less <= 8; less += 8) {
		if (less)
			world_fini(&w);
		build("_pickle.Pickler", 152 - less);
		memo = world_chunk(&w, 0x3000, 48);
		output = world_chunk(&w, 0x4000, 4144);
		put(0, memo);
		fake_u64(&w.fake, memo + 16, 250);
		fake_u64(&w.fake, memo + 24, chunk);
		assert_books(152 - less + 32 + 4000, 48 + 4016, 0);
		put(48 - (uint32_t)less, output);
		fake_u64(&w.fake, output + w.layout->ob_size, 4096);
		assert_books(152 - less + 32 + 4000 + w.layout->sizeof_bytes + 4096, 48 + 4016, 0);
		fake_u64(&w.fake, memo + 16, 1ull << 50);
		fake_u64(&w.fake, output + w.layout->ob_size, 1ull << 50);
		assert_books(152 - less, 0, 2);
	}
}

/* By size: where the texts and the marks are. */
static const struct {
	int64_t size;
	uint32_t line, marks;
} unpicklers[] = { { 256, 136, 224 }, { 248, 128, 216 }, { 280, 136, 240 }, { 288, 144, 248 } };

static void unpicklers_have_a_memo_marks_and_texts(void **state)
{
	static const char words[] = "a text that is longer than what is looked at in one go, which "
				    "is why it ends in the next, or in the one after that; so";
	uint64_t text;

	for (size_t i = 0; i < ARRAY_SIZE(unpicklers); i++) {
		int64_t plain = 16 + unpicklers[i].size;

		if (i)
			world_fini(&w);
		build("_pickle.Unpickler", plain);
		text = world_chunk(&w, 0x3000, 256);
		put(8, chunk);
		put(16, 500);
		put(unpicklers[i].marks, world_chunk(&w, 0x4000, 176));
		put(unpicklers[i].marks + 16, 20);
		assert_books(plain + 4000 + 160, 4016 + 176, 0);
		put(unpicklers[i].line, text);
		fake_text(&w.fake, text, words);
		put(unpicklers[i].marks - 8, world_chunk(&w, 0x5000, 32));
		fake_text(&w.fake, world_chunk(&w, 0x5000, 32), "strict");
		assert_books(plain + 4000 + 160 + (int64_t)sizeof(words) + 7, 4016 + 176 + 256 + 32,
			     0);
	}
}

/* Only 3.15 counts it in __sizeof__; its block is the queue's in any case. */
static void queues_own_their_ring(void **state)
{
	struct layout counts;

	build("_queue.SimpleQueue", 72);
	put(24, chunk);
	put(32, 500);
	assert_books(72, 4016, 0);
	counts = *w.layout;
	counts.queue_counts_items = true;
	w.worker.layout = &counts;
	assert_books(72 + 4000, 4016, 0);
}

static void a_text_without_an_end_is_torn(void **state)
{
	build("_pickle.Unpickler", 272);
	for (uint64_t at = WORLD_HEAP + 0x30000; at < WORLD_HEAP + 0x40000; at += 8)
		fake_u64(&w.fake, at, 0x4141414141414141);
	put(136, WORLD_HEAP + 0x30005);
	assert_books(272, 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(products_have_an_index_for_each_pool, teardown),
		cmocka_unit_test_teardown(combinations_have_one_for_each_that_is_chosen, teardown),
		cmocka_unit_test_teardown(permutations_have_both, teardown),
		cmocka_unit_test_teardown(a_struct_has_a_code_more_than_it_needs, teardown),
		cmocka_unit_test_teardown(picklers_have_a_memo_and_what_they_write, teardown),
		cmocka_unit_test_teardown(unpicklers_have_a_memo_marks_and_texts, teardown),
		cmocka_unit_test_teardown(queues_own_their_ring, teardown),
		cmocka_unit_test_teardown(a_text_without_an_end_is_torn, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
