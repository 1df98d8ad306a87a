/* SPDX-License-Identifier: BSD-2-Clause */
/* A diff as JSON (schema pymemtop.diff/1, docs/json.md) and as text. */
#pragma once

#include "model/diff.h"
#include "view/text.h"

#include <regex.h>
#include <stdio.h>

struct changes_options {
	const regex_t *filter; /* on type names; NULL: all */
	size_t limit;	       /* of types; 0: all */
	struct text_options text;
};

/* 0, or negative errno of the stream or -ENOMEM. */
int changes_write_json(FILE *out, const struct diff *diff, const struct changes_options *opts);
int changes_write_text(FILE *out, const struct diff *diff, const struct changes_options *opts);
