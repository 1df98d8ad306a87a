/* SPDX-License-Identifier: BSD-2-Clause */
/* What to change in the code, as text and as JSON (schema pymemtop.advice/1, docs/json.md). */
#pragma once

#include "advise/suspects.h"
#include "view/text.h"

#include <regex.h>
#include <stdio.h>

struct advice_options {
	const regex_t *filter; /* on the type; NULL: all */
	size_t limit;	       /* 0: all */
	struct text_options text;
};

/* @suspects: NULL where there is no recording. 0, or negative errno of the stream or -ENOMEM. */
int advice_write_text(FILE *out, const struct picture *pic, const struct suspects_list *suspects,
		      const struct advice_options *opts);
int advice_write_json(FILE *out, const struct picture *pic, const struct suspects_list *suspects,
		      const struct advice_options *opts);
