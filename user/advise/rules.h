/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of advice. Each adds what it has to say to @pic. 0 or -ENOMEM. Private to advise/. */
#pragma once

#include "model/picture.h"

/* Thresholds in bytes. */
struct rules_limits {
	int64_t type_bytes;  /* a type with less is not worth a word */
	int64_t saves_bytes; /* nor is a smaller gain */
};

int rules_slots(struct picture *pic, const struct rules_limits *limits);
int rules_unshared_keys(struct picture *pic, const struct rules_limits *limits);
int rules_overcapacity(struct picture *pic, const struct rules_limits *limits);
int rules_duplicate_strings(struct picture *pic, const struct rules_limits *limits);
int rules_fragmentation(struct picture *pic, const struct rules_limits *limits);
