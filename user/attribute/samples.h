/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A few instances of one type, to look at. A census meets all of them and keeps some by chance,
 * every one as likely as the other; what they hold is read after it.
 */
#pragma once

#include "attribute/names.h"
#include "attribute/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 5

/* Those that a worker has kept so far. All zero at first. */
struct samples_met {
	uint64_t seen, random;
	struct {
		uint64_t addr, size;
	} list[SAMPLES_MAX];
};

/* One more instance: the PyObject at @addr in a block of @size bytes. */
void samples_meet(struct samples_met *met, uint64_t addr, uint64_t size);

/* How many are kept. */
size_t samples_count(const struct samples_met *met);

#define SAMPLES_IMMORTAL (-1)
#define SAMPLES_NO_ITEMS (-1)

struct sample {
	uint64_t addr, size;
	int64_t refcount;  /* SAMPLES_IMMORTAL */
	int64_t items;	   /* of a list, dict, str ...; SAMPLES_NO_ITEMS */
	char **attributes; /* "path: str", with " = '/x'" behind it where values are wanted */
	size_t attributes_count;
	char *holds; /* "str (12), int (3)": types of the first items; NULL: none */
	char *value; /* of a str, bytes, int or float; NULL unless values are wanted */
};

struct samples_reader {
	struct names names;
	struct types *types;
	bool values;
};

/*
 * Reads the instance of @type at @addr. 0; -ENOENT when there is no such instance any more,
 * -EFAULT, -ESRCH, -ENOMEM. What of it makes no sense is left out.
 */
int samples_read(struct samples_reader *reader, const struct type *type, uint64_t addr,
		 struct sample *ret);
void samples_fini(struct sample *sample);
