/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/stdlib.h"

#include <string.h>

/* More pieces of a format, and a longer text, than anybody writes. */
#define PIECES_MAX (1u << 20)
#define TEXT_MAX_LEN (1u << 20)

void stdlib_book_table(struct worker *w, struct type *type, uint64_t addr, uint64_t count,
		       uint64_t size)
{
	if (!addr)
		return;
	if (count >> 40)
		return (void)w->torn++;
	builtins_book_size(w, type, (int64_t)(count * size));
	worker_charge_buffer(w, type, addr, count * size);
}

/* ---- itertools
 * -------------------------------------------------------------------------------------- */

/*
 * Modules/itertoolsmodule.c. productobject { pools; indices; result; stopped },
 * combinationsobject and cwrobject { pool; indices; result; r; stopped },
 * permutationsobject { pool; indices; cycles; result; r; stopped }.
 */
enum {
	POOL = 0,
	INDICES = 8,
	COMBINATIONS_R = 24,
	PERMUTATIONS_CYCLES = 16,
	PERMUTATIONS_R = 32,
	PRODUCT_SIZE = 32,
	COMBINATIONS_SIZE = 40,
	PERMUTATIONS_SIZE = 48,
};

/* data: the length of the tuple of pools, or of the pool: one index for each. */
static void run_indices(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	stdlib_book_table(w, f->charge.to, f->a, load_u64(data), 8);
}

static void fetch_indices(struct worker *w, struct type *type, const struct object *obj)
{
	struct fetch f = {
		.addr = builtins_word(w, obj, POOL) + w->layout->ob_size,
		.run = run_indices,
		.charge = { .to = type },
		.a = builtins_word(w, obj, INDICES),
		.len = 8,
	};

	worker_fetch(w, &f);
}

static void visit_product(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	fetch_indices(w, type, obj);
}

static void visit_combinations(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	stdlib_book_table(w, type, builtins_word(w, obj, INDICES),
			  builtins_word(w, obj, COMBINATIONS_R), 8);
}

static void visit_permutations(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	fetch_indices(w, type, obj);
	stdlib_book_table(w, type, builtins_word(w, obj, PERMUTATIONS_CYCLES),
			  builtins_word(w, obj, PERMUTATIONS_R), 8);
}

/* ---- struct
 * ----------------------------------------------------------------------------------------- */

/*
 * Modules/_struct.c, PyStructObject { s_size; s_len; s_codes; s_format; weakreflist; ready
 * from 3.15 on } and formatcode { fmtdef; offset; size; repeat }: one without fmtdef is the last.
 */
enum { STRUCT_CODES = 16, STRUCT_SIZE = 40, STRUCT_SIZE_3_15 = 48, CODE_SIZE = 32 };

/* data: fmtdef of the code at hand. a: how many were before it, b: where they begin. */
static void run_codes(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	struct fetch next = *f;

	while (data && load_u64(data) && next.a < PIECES_MAX) {
		next.a++;
		next.addr += CODE_SIZE;
		data = worker_peek(w, next.addr, 8);
	}
	if (next.a == PIECES_MAX)
		w->torn++;
	else if (data)
		stdlib_book_table(w, f->charge.to, f->b, next.a + 1, CODE_SIZE);
	else
		worker_fetch(w, &next);
}

static void visit_struct(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t codes = builtins_word(w, obj, STRUCT_CODES);
	struct fetch f = {
		.addr = codes,
		.run = run_codes,
		.charge = { .to = type },
		.b = codes,
		.len = 8,
	};

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (codes)
		worker_fetch(w, &f);
}

/* ---- text
 * ------------------------------------------------------------------------------------------- */

/* As many bytes as cross no page. */
static uint16_t text_piece(uint64_t addr)
{
	return (uint16_t)(FETCH_MAX - addr % FETCH_MAX);
}

/* a: bytes before those at hand, b: where the text begins. */
static void run_text(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	struct fetch next = *f;
	const uint8_t *end = NULL;

	while (data && next.a < TEXT_MAX_LEN) {
		end = memchr(data, 0, next.len);
		if (end)
			break;
		next.a += next.len;
		next.addr += next.len;
		next.len = text_piece(next.addr);
		data = worker_peek(w, next.addr, next.len);
	}
	if (next.a >= TEXT_MAX_LEN)
		return (void)w->torn++;
	if (!end)
		return worker_fetch(w, &next);
	next.a += (uint64_t)(end - data) + 1;
	builtins_book_size(w, f->charge.to, next.a);
	worker_charge_buffer(w, f->charge.to, f->b, next.a);
}

void stdlib_book_text(struct worker *worker, struct type *type, uint64_t addr)
{
	struct fetch f = {
		.addr = addr,
		.run = run_text,
		.charge = { .to = type },
		.b = addr,
		.len = text_piece(addr),
	};

	if (addr)
		worker_fetch(worker, &f);
}

/* ---- pickle
 * ----------------------------------------------------------------------------------------- */

/*
 * Modules/_pickle.c. PicklerObject { memo; pers_func...; write; output_buffer; ... }, PyMemoTable {
 * mt_mask; mt_used; mt_allocated; mt_table }, entries of two words. UnpicklerObject { stack; memo;
 * memo_size; memo_len; pers_func...; buffer; input_buffer; input_line; ...; encoding; errors;
 * marks; num_marks; marks_size; ... }. 3.13.0 has one word less for pers_func, later ones have it
 * again.
 */
enum {
	PICKLER_MEMO = 0,
	PICKLER_OUTPUT = 48,
	PICKLER_SIZE = 136,
	PICKLER_SIZE_3_13_0 = 128,
	UNPICKLER_MEMO = 8,
	UNPICKLER_MEMO_SIZE = 16,
	MEMO_SIZE = 32,
	MEMO_ALLOCATED = 16,
	MEMO_TABLE = 24,
	MEMO_ENTRY = 16,
};

static const struct unpickler {
	uint32_t size, line, encoding, errors, marks, marks_size;
} unpicklers[] = {
	{ 256, 136, 208, 216, 224, 240 }, /* 3.8 to 3.12 */
	{ 248, 128, 200, 208, 216, 232 }, /* 3.13.0 */
	{ 280, 136, 224, 232, 240, 256 }, /* 3.13.18, 3.14 */
	{ 288, 144, 232, 240, 248, 264 }, /* 3.15 */
};

static void run_memo(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint64_t allocated = load_u64(data + MEMO_ALLOCATED);

	if (allocated >> 40)
		return (void)w->torn++;
	stdlib_book_table(w, f->charge.to, f->addr, 1, MEMO_SIZE);
	stdlib_book_table(w, f->charge.to, load_u64(data + MEMO_TABLE), allocated, MEMO_ENTRY);
}

/* data: the length of the bytes object that is written into. It has a row of its own. */
static void run_output(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint64_t length = load_u64(data);

	if (length >> 46)
		return (void)w->torn++;
	builtins_book_size(w, f->charge.to, w->layout->sizeof_bytes + length);
}

static void visit_pickler_with(struct worker *w, struct type *type, const struct object *obj,
			       uint64_t output)
{
	struct fetch memo = {
		.addr = builtins_word(w, obj, PICKLER_MEMO),
		.run = run_memo,
		.charge = { .to = type },
		.len = MEMO_SIZE,
	};
	struct fetch length = {
		.addr = output + w->layout->ob_size,
		.run = run_output,
		.charge = { .to = type },
		.len = 8,
	};

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (memo.addr)
		worker_fetch(w, &memo);
	if (output)
		worker_fetch(w, &length);
}

static void visit_pickler(struct worker *w, struct type *type, const struct object *obj)
{
	visit_pickler_with(w, type, obj, builtins_word(w, obj, PICKLER_OUTPUT));
}

static void visit_pickler_3_13_0(struct worker *w, struct type *type, const struct object *obj)
{
	visit_pickler_with(w, type, obj, builtins_word(w, obj, PICKLER_OUTPUT - 8));
}

/* The layout of the type that @type is or derives from: its rows are these sizes. */
static const struct unpickler *unpickler_of(const struct type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(unpicklers); i++)
		if (unpicklers[i].size == type->builtin->own_size)
			return &unpicklers[i];
	return NULL;
}

static void visit_unpickler(struct worker *w, struct type *type, const struct object *obj)
{
	const struct unpickler *u = unpickler_of(type);

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (!u)
		return;
	stdlib_book_table(w, type, builtins_word(w, obj, UNPICKLER_MEMO),
			  builtins_word(w, obj, UNPICKLER_MEMO_SIZE), 8);
	stdlib_book_table(w, type, builtins_word(w, obj, u->marks),
			  builtins_word(w, obj, u->marks_size), 8);
	stdlib_book_text(w, type, builtins_word(w, obj, u->line));
	stdlib_book_text(w, type, builtins_word(w, obj, u->encoding));
	stdlib_book_text(w, type, builtins_word(w, obj, u->errors));
}

/* ---- queue
 * ------------------------------------------------------------------------------------------ */

/* Modules/_queuemodule.c, 3.13 to 3.15: simplequeueobject { has_threads_waiting; RingBuf { put_idx;
 * get_idx; items; items_cap; num_items }; weakreflist }. */
enum { QUEUE_ITEMS = 24, QUEUE_CAPACITY = 32, QUEUE_SIZE = 56 };

static void visit_queue(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t items = builtins_word(w, obj, QUEUE_ITEMS),
		 capacity = builtins_word(w, obj, QUEUE_CAPACITY);

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (w->layout->queue_counts_items)
		stdlib_book_table(w, type, items, capacity, 8);
	else
		worker_charge_buffer(w, type, items, 8 * capacity);
}

#define OWN(bytes) .own_size = (bytes)

const struct builtin stdlib_rows[] = {
	{ .name = "itertools.product", .visit = visit_product, OWN(PRODUCT_SIZE) },
	{ .name = "itertools.combinations", .visit = visit_combinations, OWN(COMBINATIONS_SIZE) },
	{ .name = "itertools.combinations_with_replacement",
	  .visit = visit_combinations,
	  OWN(COMBINATIONS_SIZE) },
	{ .name = "itertools.permutations", .visit = visit_permutations, OWN(PERMUTATIONS_SIZE) },
	{ .name = "_struct.Struct", .visit = visit_struct, OWN(STRUCT_SIZE) },
	{ .name = "_struct.Struct", .visit = visit_struct, OWN(STRUCT_SIZE_3_15) },
	{ .name = "Struct", .visit = visit_struct, OWN(STRUCT_SIZE) }, /* 3.8 */
	{ .name = "_pickle.Pickler", .visit = visit_pickler, OWN(PICKLER_SIZE) },
	{ .name = "_pickle.Pickler", .visit = visit_pickler_3_13_0, OWN(PICKLER_SIZE_3_13_0) },
	/* As in unpicklers[]. */
	{ .name = "_pickle.Unpickler", .visit = visit_unpickler, OWN(256) },
	{ .name = "_pickle.Unpickler", .visit = visit_unpickler, OWN(248) },
	{ .name = "_pickle.Unpickler", .visit = visit_unpickler, OWN(280) },
	{ .name = "_pickle.Unpickler", .visit = visit_unpickler, OWN(288) },
	{ .name = "_queue.SimpleQueue", .visit = visit_queue, OWN(QUEUE_SIZE) },
};
const size_t stdlib_rows_count = ARRAY_SIZE(stdlib_rows);
