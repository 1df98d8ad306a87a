/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What advice needs to know of a Python class besides its tally: what an instance would take if it
 * were kept otherwise, and why instances own their keys.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACTS_LATE_MAX 8

struct facts {
	uint64_t slots_bytes;  /* one instance with its attributes in __slots__; 0: cannot have them
				*/
	uint64_t shared_bytes; /* one instance that shares its keys; 0: cannot */
	bool dict_on_demand;   /* 3.11+: no dict object unless somebody asked for it */
	bool dataclass;
	bool cached_property; /* it or a base has one: it needs a __dict__ */
	bool cached_late;     /* one of the late names below is a cached_property */
	bool same_names;      /* all key tables looked at hold the same names, in any order */
	bool reordered;	      /* the same names stood in another order */
	char *misplaced;      /* the first name that did; NULL: none, or it could not be read */
	bool shared_lost;     /* up to 3.10: the class shares no keys any more */
	bool room;	      /* the shared keys would take a name that is set on an instance */
	size_t names;	      /* different names seen, in shared keys and own ones */
	size_t sampled;	      /* key tables looked at */
	char *bases; /* Python classes below it that bring the __dict__, "a.B, a.C"; NULL: none */
	char *late[FACTS_LATE_MAX]; /* names that are not in the shared keys, or that not all
				       instances have */
	size_t late_count;
};

void facts_fini(struct facts *facts);
