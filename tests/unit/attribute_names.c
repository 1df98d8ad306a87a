/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/names.h"
#include "fake_python.h"

#include <errno.h>

#define CLS (WORLD_STATIC + 0x5000)
#define STRS (WORLD_STATIC + 0x8000)
#define KEYS (WORLD_STATIC + 0xa000)

static struct world w;
static struct names names;

static int setup(void **state)
{
	world_init(&w, "3.11");
	names = (struct names){ .layout = w.layout, .mem = w.worker.mem };
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static void put_wide(uint64_t addr, uint32_t kind, const void *chars, uint64_t count, bool compact)
{
	const struct layout *l = w.layout;

	fake_u64(&w.fake, addr + l->str_length, count);
	fake_u32(&w.fake, addr + l->str_state,
		 kind << l->str_kind_shift | (compact ? l->str_compact_mask : 0));
	if (compact) {
		fake_bytes(&w.fake, addr + l->sizeof_compact, chars, count * kind);
	} else {
		fake_u64(&w.fake, addr + l->str_data, addr + 0x100);
		fake_bytes(&w.fake, addr + 0x100, chars, count * kind);
	}
}

static void strs_of_all_kinds(void **state)
{
	static const uint16_t greek[] = { 0x3b1, 0x3b2 };
	static const uint32_t snake[] = { 0x1f40d, 'x' };
	static const uint16_t lone[] = { 0xd800, 'a' };
	char buf[64];

	world_put_str(&w, STRS, "hello");
	assert_int_equal(names_read_str(&names, STRS, buf, sizeof(buf)), 5);
	assert_string_equal(buf, "hello");
	put_wide(STRS, 1, "\xe9", 1, true);
	names_read_str(&names, STRS, buf, sizeof(buf));
	assert_string_equal(buf, "é");
	put_wide(STRS, 2, greek, 2, true);
	names_read_str(&names, STRS, buf, sizeof(buf));
	assert_string_equal(buf, "αβ");
	put_wide(STRS, 4, snake, 2, false);
	names_read_str(&names, STRS, buf, sizeof(buf));
	assert_string_equal(buf, "🐍x");
	put_wide(STRS, 2, lone, 2, true); /* no valid text, but valid UTF-8 comes of it */
	assert_true(names_read_str(&names, STRS, buf, sizeof(buf)) > 1);
	assert_int_equal(buf[strlen(buf) - 1], 'a');
}

/* What is read by pages is the same, also over the end of one and where the next is not there. */
static void pages_change_nothing(void **state)
{
	cleanup(names_pages_freep) struct names_pages *pages = names_pages_new();
	struct names paged = names;
	char buf[600];
	static const char text[] = "a text of forty characters, or some more";
	const uint64_t ends[] = { STRS + 0x1000, WORLD_HEAP + 0x40000 };

	paged.pages = pages;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		uint64_t last = ends[i] - round_up(w.layout->sizeof_ascii + sizeof(text), 8);

		for (uint64_t at = last - 64; at <= last; at += 8) {
			names_pages_freep(&pages);
			paged.pages = pages = names_pages_new();
			world_put_str(&w, at, text);
			for (int again = 0; again < 2; again++) {
				assert_int_equal(names_read_str(&paged, at, buf, sizeof(buf)),
						 sizeof(text) - 1);
				assert_string_equal(buf, text);
			}
		}
		/* Longer than what is there. */
		fake_u64(&w.fake, last + w.layout->str_length, 400);
		names_pages_freep(&pages);
		paged.pages = pages = names_pages_new();
		assert_int_equal(names_read_str(&paged, last, buf, sizeof(buf)),
				 names_read_str(&names, last, buf, sizeof(buf)));
	}
	assert_true(names_read_str(&paged, 0, buf, sizeof(buf)) < 0);
	assert_true(names_read_str(&paged, 8, buf, sizeof(buf)) < 0);
	assert_true(names_read_str(&paged, UINT64_MAX - 7, buf, sizeof(buf)) < 0);
}

static void long_ones_are_cut(void **state)
{
	char text[600], buf[2000], little[8];

	memset(text, 'y', 599);
	text[599] = 0;
	world_put_str(&w, STRS, text);
	assert_int_equal(names_read_str(&names, STRS, buf, sizeof(buf)), NAMES_MAX);
	assert_true(names_read_str(&names, STRS, little, sizeof(little)) < 8);
	fake_u64(&w.fake, STRS + w.layout->str_length, UINT64_MAX);
	assert_int_equal(names_read_str(&names, STRS, buf, sizeof(buf)), NAMES_MAX);
}

static void what_is_no_str_is_refused(void **state)
{
	char buf[64];

	assert_int_equal(names_read_str(&names, 0, buf, sizeof(buf)), -EFAULT);
	assert_int_equal(names_read_str(&names, STRS + 1, buf, sizeof(buf)), -EFAULT);
	assert_int_equal(names_read_str(&names, 0xdead0000, buf, sizeof(buf)), -EFAULT);
	assert_int_equal(names_read_str(&names, STRS, buf, sizeof(buf)), -EINVAL); /* zeros */
	world_put_str(&w, STRS, "text");
	fake_u64(&w.fake, STRS + w.layout->ob_type, WORLD_OBJECT); /* an int, for one */
	assert_int_equal(names_read_str(&names, STRS, buf, sizeof(buf)), -EINVAL);
	world_put_str(&w, STRS, "text");
	put_wide(STRS, 4, "", 0, false);
	fake_u64(&w.fake, STRS + w.layout->str_length, 3);
	fake_u64(&w.fake, STRS + w.layout->str_data, 0xdead0000);
	assert_int_equal(names_read_str(&names, STRS, buf, sizeof(buf)), -EFAULT);
}

/* A class statement's type: names are strs, the module stands in its dict. */
static struct type *make_class(const char *module, const char *qualname)
{
	const struct layout *l = w.layout;

	world_put_type(&w, CLS, "?", TPFLAGS_HEAPTYPE | TPFLAGS_HAVE_GC, 24);
	world_put_str(&w, STRS + 0x400, "__module__");
	world_put_str(&w, STRS + 0x500, module);
	world_put_str(&w, STRS + 0x600, qualname);
	world_put_str(&w, STRS + 0x700, "other");
	fake_u64(&w.fake, CLS + l->ht_name, STRS + 0x600);
	fake_u64(&w.fake, CLS + l->ht_qualname, STRS + 0x600);
	fake_u64(&w.fake, CLS + l->tp_name, STRS + 0x600 + l->sizeof_ascii);
	fake_u64(&w.fake, CLS + l->tp_dict, STRS);
	world_put_dict(&w, STRS, 2, KEYS, 0);
	world_put_keys(&w, KEYS, 3, 1, 2);
	fake_u64(&w.fake, KEYS + l->dk_indices + 8, STRS + 0x700);
	fake_u64(&w.fake, KEYS + l->dk_indices + 8 + 16, STRS + 0x400);
	fake_u64(&w.fake, KEYS + l->dk_indices + 8 + 24, STRS + 0x500);
	return world_type(&w, CLS);
}

static void classes_are_named_with_their_module(void **state)
{
	char buf[256];
	struct type *type = make_class("app.models", "Outer.Foo");

	assert_true(type->python_class);
	names_of_type(&names, type, buf, sizeof(buf));
	assert_string_equal(buf, "app.models.Outer.Foo");
	world_put_str(&w, STRS + 0x500, "builtins");
	names_of_type(&names, type, buf, sizeof(buf));
	assert_string_equal(buf, "Outer.Foo");
}

static void c_types_bring_their_whole_name(void **state)
{
	char buf[256];

	world_put_type(&w, CLS, "collections.deque", TPFLAGS_HAVE_GC, 48);
	names_of_type(&names, world_type(&w, CLS), buf, sizeof(buf));
	assert_string_equal(buf, "collections.deque");
	world_put_type(&w, CLS + 0x400, "bad\xff\x01name", 0, 48);
	names_of_type(&names, world_type(&w, CLS + 0x400), buf, sizeof(buf));
	assert_null(strchr(buf, '\xff'));
	world_put_type(&w, CLS + 0x800, "x", 0, 48);
	fake_u64(&w.fake, CLS + 0x800 + w.layout->tp_name, 0xdead0000);
	names_of_type(&names, world_type(&w, CLS + 0x800), buf, sizeof(buf));
	assert_string_equal(buf, "?");
}

static void unreadable_parts_are_question_marks(void **state)
{
	char buf[256];
	struct type *type = make_class("app", "Foo");

	fake_u64(&w.fake, STRS + w.layout->ma_keys, 0xdead0000);
	names_of_type(&names, type, buf, sizeof(buf));
	assert_string_equal(buf, "?.Foo");
	/* A header that promises entries where nothing is mapped: nothing is freed twice. */
	fake_u64(&w.fake, STRS + w.layout->ma_keys, WORLD_STATIC + 0x40000 - 64);
	world_put_keys(&w, WORLD_STATIC + 0x40000 - 64, 10, 1, 600);
	names_of_type(&names, type, buf, sizeof(buf));
	assert_string_equal(buf, "?.Foo");
}

static void shared_keys_are_listed_in_order(void **state)
{
	struct type *type = make_class("app", "Foo");
	struct names_keys keys;

	assert_int_equal(names_of_shared_keys(&names, type, &keys), -ENOENT);
	type->cached_keys = KEYS;
	assert_int_equal(names_of_shared_keys(&names, type, &keys), 0);
	assert_int_equal(keys.count, 2);
	assert_string_equal(keys.list[0], "other");
	assert_string_equal(keys.list[1], "__module__");
	assert_int_equal(keys.used, 2);
	assert_int_equal(keys.capacity, 5);
	assert_int_equal(keys.bytes, 120);
	names_keys_fini(&keys);
	fake_u64(&w.fake, KEYS + w.layout->dk_indices + 8, 0xdead0000);
	assert_int_equal(names_of_shared_keys(&names, type, &keys), 0);
	assert_string_equal(keys.list[0], "?");
	names_keys_fini(&keys);
	type->cached_keys = 0xdead0000;
	assert_int_equal(names_of_shared_keys(&names, type, &keys), -EFAULT);
	type->cached_keys = WORLD_STATIC + 0x40000 - 64;
	world_put_keys(&w, WORLD_STATIC + 0x40000 - 64, 10, 1, 600);
	assert_int_equal(names_of_shared_keys(&names, type, &keys), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(strs_of_all_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(long_ones_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_str_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(classes_are_named_with_their_module, setup,
						teardown),
		cmocka_unit_test_setup_teardown(c_types_bring_their_whole_name, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable_parts_are_question_marks, setup,
						teardown),
		cmocka_unit_test_setup_teardown(shared_keys_are_listed_in_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
