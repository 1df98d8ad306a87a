/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where to listen: instructions of the interpreter that every allocation or free executes exactly
 * once, that the kernel emulates, and at which a register tells all that must be known.
 *
 * Nothing is looked up by name. What is searched for is what obmalloc.c does in every version and
 * in every copy that a compiler has made of it:
 *  - `pool != pool->nextpool`, asked once for each small block handed out: SITE_POOL; behind it the
 *    block is popped and asked whether it was the last, with its address in a register: SITE_BLOCK,
 *    which is cheaper and is taken where it is found;
 *  - `ptr != NULL` in front of `raw_allocated_blocks++`, once for each large one: SITE_LARGE;
 *  - in free-threaded builds `page->free == NULL`, once for each block handed out: SITE_PAGE (see
 *    mipages.h);
 *  - the first look into the radix tree of arenas with the address of a block, once for each free
 * and each realloc (3.10+): SITE_FREE, SITE_REALLOC.
 */
#pragma once

#include "bpf/events.h"
#include "layout/layout.h"
#include "probe/code.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SITE_SYMBOL_MAX 48
#define SITE_TEXT_MAX 48
#define SITE_LINKS_MAX 4

struct site {
	enum site_role role;
	uint64_t vaddr;	   /* file address */
	uint64_t offset;   /* in the file, for the kernel */
	uint64_t function; /* start of the function around it, by .eh_frame; 0: unknown */
	char symbol[SITE_SYMBOL_MAX]; /* of that function, "" where nothing names it */
	char text[SITE_TEXT_MAX];     /* the instruction */
	bool emulated;
	uint8_t reg;	  /* what the role says; CODE_NO_REG: none */
	uint8_t size_reg; /* LARGE: bytes asked for; CODE_NO_REG: not known there */
	uint8_t flags;	  /* SITE_IN_MEMORY, SITE_LINKED */
	int16_t disp;
	uint64_t check_vaddr; /* POOL, BLOCK: where check_reg holds the block that is handed out; 0:
				 not found */
	uint8_t check_reg;
	uint64_t links[SITE_LINKS_MAX]; /* FREE: where the block is pushed on the free list */
	const char *rejected;		/* why it is not used; NULL: it is used */
	uint64_t spare; /* another instruction that would do as well, for more; 0: none */
};

struct sites {
	struct site *list;
	size_t count, capacity;
};

/* Adds a copy of @site. -ENOMEM, -E2BIG beyond SITES_MAX. */
int sites_add(struct sites *sites, const struct site *site);
/* Takes those of @role out. */
void sites_drop(struct sites *sites, enum site_role role);
void sites_clear(struct sites *sites);

/*
 * The instruction before @site's, where it says the same as often: for when the kernel refuses the
 * one. 0: it does not.
 */
uint64_t sites_find_spare(struct code *code, const struct site *site);

/* Fills in what follows from role, vaddr and registers: offset, function, symbol, text, emulated.
 */
void sites_describe(struct code *code, struct site *site);

/*
 * All places where a pool is asked whether it is the empty ring. *fresh: the function that most of
 * them call when it is (allocate_from_new_pool), 0 where none is called (3.8; see openings.h).
 */
int sites_find_pools(struct code *code, const struct layout *layout, struct sites *sites,
		     uint64_t *fresh);

/*
 * The cheapest instruction near the entry of a function that every call executes exactly once with
 * argument registers still whole. @reg: the argument that must be. @fresh_stack: the return address
 * must still be on top of the stack. Fills in @ret; falls back to the entry itself, which is
 * single-stepped.
 */
int sites_find_entry(struct code *code, uint64_t entry, uint8_t reg, bool fresh_stack,
		     struct site *ret);
