/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout/layout.h"

#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "layout/tables/tables.inc"

#define DEBUG_COOKIE                                                                               \
	"xdebugpy" /* _Py_Debug_Cookie, pycore_runtime.h (3.13), pycore_debug_offsets.h (3.14) */
#define DEBUG_VERSION_OFFSET 8 /* _Py_DebugOffsets.version, after the cookie: 3.13 to 3.15 */
#define DEBUG_SIZE_MAX 4096

const struct layout *const *layout_all(size_t *count)
{
	*count = ARRAY_SIZE(tables);
	return tables;
}

static unsigned int hex_minor(uint32_t hex)
{
	return hex >> 16 & 0xff;
}

static unsigned int hex_micro(uint32_t hex)
{
	return hex >> 8 & 0xff;
}

/* Alphas, betas and candidates of X.Y.0: their layouts are not settled. 0xf is
 * PY_RELEASE_LEVEL_FINAL. */
static bool hex_is_prerelease(uint32_t hex)
{
	return hex_micro(hex) == 0 && (hex >> 4 & 0xf) != 0xf;
}

static bool layout_is_for(const struct layout *layout, const struct python *py)
{
	return layout->major == py->hex >> 24 && layout->minor == hex_minor(py->hex) &&
	       layout->free_threaded == py->free_threaded && layout->debug == py->debug;
}

/*
 * The table whose patch releases hold @py's, else the newest one of that minor for a patch release
 * that came later: up to 3.12 layouts do not move any more (security fixes only), from 3.13
 * layout_check() decides. Not so in free-threaded builds: no debug offset tells where mimalloc
 * keeps what, and 3.13.18 and 3.14 moved it.
 */
static const struct layout *find(const struct python *py)
{
	const struct layout *newest = NULL;
	unsigned int micro = hex_micro(py->hex);

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		const struct layout *l = tables[i];

		if (!layout_is_for(l, py))
			continue;
		if (micro >= l->micro_first && micro <= l->micro_last)
			return l;
		if (micro > l->micro_last && !py->free_threaded &&
		    (!newest || l->micro_last > newest->micro_last))
			newest = l;
	}
	return newest;
}

/* "3.8 3.9 3.10 ... 3.13t": names of all tables. */
static void list_names(char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		int n = snprintf(buf + len, cap - len, "%s%s", i ? " " : "", tables[i]->name);

		if (n < 0 || (size_t)n >= cap - len)
			return;
		len += (size_t)n;
	}
}

const struct layout *layout_find(const struct python *py, struct error *err)
{
	const struct layout *layout = hex_is_prerelease(py->hex) ? NULL : find(py);
	char names[192];

	if (layout)
		return layout;
	list_names(names, sizeof(names));
	error_set(err, ENOTSUP, EXIT_UNSUPPORTED,
		  "CPython %s%s%s is not supported: its memory layout is not known (known: %s). To "
		  "have it "
		  "added, send us the output of its `python -VV`",
		  py->version, py->free_threaded ? " free-threaded" : "",
		  py->debug ? " with --with-pydebug" : "", names);
	return NULL;
}

static int contradict(const struct layout *layout, const struct python *py, const char *what,
		      uint64_t theirs, uint64_t ours, struct error *err)
{
	return error_set(err, EPROTO, EXIT_UNSUPPORTED,
			 "CPython %s lays out memory differently from our table %s: %s is %" PRIu64
			 ", expected %" PRIu64
			 ". To have it added, send us this line and the output of its "
			 "`python -VV`",
			 py->version, layout->name, what, theirs, ours);
}

static int check_head(const struct layout *layout, const struct python *py, const uint8_t *offsets,
		      struct error *err)
{
	uint64_t version = load_u64(offsets + DEBUG_VERSION_OFFSET);
	uint64_t free_threaded = load_u64(offsets + layout->debug_free_threaded);
	uint64_t minor_mask = 0xffff0000;

	if (memcmp(offsets, DEBUG_COOKIE, strlen(DEBUG_COOKIE)) != 0)
		return error_set(
			err, EPROTO, EXIT_UNSUPPORTED,
			"CPython %s has no debug offsets in _PyRuntime: it is damaged or not "
			"initialised yet",
			py->version);
	if ((version ^ PYTHON_HEX(layout->major, layout->minor, 0)) & minor_mask)
		return contradict(layout, py, "version", version,
				  PYTHON_HEX(layout->major, layout->minor, 0), err);
	if (free_threaded != layout->free_threaded)
		return contradict(layout, py, "free_threaded", free_threaded, layout->free_threaded,
				  err);
	return 0;
}

int layout_check(const struct layout *layout, const struct python *py, struct memory *mem,
		 struct error *err)
{
	uint8_t offsets[DEBUG_SIZE_MAX];
	int r;

	if (layout->debug_rows_count == 0)
		return 0;
	r = memory_read(mem, py->runtime, offsets, layout->debug_size);
	if (r < 0)
		return error_set(err, -r, EXIT_UNSUPPORTED,
				 "cannot read _PyRuntime of CPython %s at %#" PRIx64, py->version,
				 py->runtime);
	r = check_head(layout, py, offsets, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < layout->debug_rows_count; i++) {
		const struct layout_debug_row *row = &layout->debug_rows[i];
		uint64_t theirs = load_u64(offsets + row->where);
		uint32_t ours = load_u32((const uint8_t *)layout + row->field);

		if (theirs != ours)
			return contradict(layout, py, row->name, theirs, ours, err);
	}
	return 0;
}
