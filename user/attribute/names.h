/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, read from the target and made valid UTF-8. Private to attribute/. */
#pragma once

#include "attribute/types.h"
#include "base/cleanup.h"

#define NAMES_MAX 256

/* Pages that were read lately: the names of many types lie close together, in small pieces. */
struct names_pages;

/* NULL when out of memory. */
struct names_pages *names_pages_new(void);
void names_pages_free(struct names_pages *pages);
DEFINE_CLEANUP(struct names_pages, names_pages_free)

struct names {
	const struct layout *layout;
	struct memory *mem;
	uint64_t module_key;	   /* address of the interned "__module__", once it was met */
	struct names_pages *pages; /* borrowed; NULL: each piece is read by itself */
};

/* Text of the str object at @addr into @buf. Length, or -EINVAL where it is none, -EFAULT. */
ssize_t names_read_str(const struct names *names, uint64_t addr, char *buf, size_t cap);

struct dict_keys;

/*
 * The key table at @addr and its first entries (nentries of them, at most 1024), the caller's to
 * free also after a failure. 0, -EFAULT, -EINVAL for what makes no sense, -ENOMEM.
 */
int names_read_keys(const struct names *names, uint64_t addr, struct dict_keys *ret,
		    uint8_t **ret_bytes);

/* "app.models.Foo"; builtins without a module. Never fails: unreadable parts are "?". */
void names_of_type(struct names *names, const struct type *type, char *buf, size_t cap);

/* A class's shared keys. */
struct names_keys {
	char **list; /* in order of insertion; owned */
	size_t count;
	uint64_t used, capacity, bytes;
};

/* 0, or negative errno with nothing in *ret. */
int names_of_shared_keys(const struct names *names, const struct type *type,
			 struct names_keys *ret);
void names_keys_fini(struct names_keys *keys);
