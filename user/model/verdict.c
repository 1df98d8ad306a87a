/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/verdict.h"

#include "base/format.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>

#define TEXT_MAX 640
/* Percent of the RSS. */
#define SHARED_TOLD 20.0

static double share(const struct picture *pic, int64_t bytes)
{
	return pic->memory.rss_bytes > 0 ? 100.0 * (double)bytes / (double)pic->memory.rss_bytes
					 : 0;
}

static void say_live(const struct picture *pic, int64_t bytes, char *text)
{
	const struct picture_type *top = pic->types_count ? &pic->types[0] : NULL;
	char size[FORMAT_SIZE_MAX], top_size[FORMAT_SIZE_MAX];

	snprintf(text, TEXT_MAX,
		 "%s (%.0f%% of the RSS) are live Python objects; the largest type is %s with %s",
		 format_size(size, (uint64_t)bytes), share(pic, bytes), top ? top->name : "?",
		 format_size(top_size,
			     top && top->inuse_bytes > 0 ? (uint64_t)top->inuse_bytes : 0));
}

/* The class with the most free bytes in pools that some block keeps from being given back. */
static void say_fragmentation(const struct picture *pic, int64_t bytes, char *text)
{
	const struct picture_size_class *worst = NULL;
	char size[FORMAT_SIZE_MAX], pinned[FORMAT_SIZE_MAX];
	int64_t most = 0;

	for (size_t i = 0; i < pic->memory.size_classes_count; i++) {
		const struct picture_size_class *c = &pic->memory.size_classes[i];

		if (c->free_blocks * c->size_bytes < most)
			continue;
		most = c->free_blocks * c->size_bytes;
		worst = c;
	}
	snprintf(text, TEXT_MAX,
		 "%s (%.0f%% of the RSS) are free inside pymalloc: %s of it in pools of %u-byte "
		 "blocks, where %.0f%% in "
		 "use keep %ld pools from being given back; objects that outlive their neighbours "
		 "would have to go, or "
		 "the process be restarted",
		 format_size(size, (uint64_t)bytes), share(pic, bytes),
		 format_size(pinned, (uint64_t)most), worst ? worst->size_bytes : 0,
		 worst ? 100.0 * (double)worst->inuse_blocks /
				 (double)(worst->inuse_blocks + worst->free_blocks)
		       : 0,
		 worst ? (long)worst->pools_count : 0L);
}

/* The sentence of a part that needs no more than its size and its @nature. */
static void say_part(const struct picture *pic, int64_t bytes, const char *nature, char *text)
{
	char size[FORMAT_SIZE_MAX];

	snprintf(text, TEXT_MAX, "%s (%.0f%% of the RSS) are %s",
		 format_size(size, (uint64_t)bytes), share(pic, bytes), nature);
}

#define NATURE_NATIVE                                                                              \
	"in use in malloc by native code, not by Python objects: a C extension or library holds "  \
	"them"
#define NATURE_HELD                                                                                \
	"free but held by malloc: no leak; malloc_trim(0) or fewer threads' arenas "               \
	"(MALLOC_ARENA_MAX) would give them back"
#define NATURE_MAPPED "mapped files, stacks and other mappings, not the heap"
/* Where malloc cannot be walked. */
#define NATURE_UNWALKED                                                                            \
	"mappings outside of pymalloc's arenas: files, stacks, and what malloc holds, which is "   \
	"not glibc's and so is not told apart"

static int64_t known(int64_t bytes)
{
	return bytes == PICTURE_UNKNOWN ? 0 : bytes;
}

/* What a fork has not written to since is one memory for all: ending one process frees none of it.
 */
static void add_shared(const struct picture *pic, char *text)
{
	int64_t shared = pic->memory.private_bytes == PICTURE_UNKNOWN
				 ? 0
				 : pic->memory.rss_bytes - pic->memory.private_bytes -
					   known(pic->memory.mapped_file_bytes);
	char size[FORMAT_SIZE_MAX];
	size_t len = strlen(text);

	if (shared > 0 && share(pic, shared) >= SHARED_TOLD)
		snprintf(text + len, TEXT_MAX - len,
			 "; %s of the RSS (%.0f%%) are shared with other processes, as forks share "
			 "what "
			 "none has written to",
			 format_size(size, (uint64_t)shared), share(pic, shared));
}

int verdict_add(struct picture *pic)
{
	bool walked = pic->memory.resident_native_live_bytes != PICTURE_UNKNOWN;
	const struct {
		const char *kind;
		int64_t bytes;
		void (*say)(const struct picture *pic, int64_t bytes, char *text);
		const char *nature; /* in place of @say */
	} parts[] = {
		{ "live", pic->memory.resident_python_live_bytes, say_live, NULL },
		{ "fragmentation", pic->memory.resident_python_free_bytes, say_fragmentation,
		  NULL },
		{ "native", pic->memory.resident_native_live_bytes, NULL, NATURE_NATIVE },
		{ "held", pic->memory.resident_malloc_free_bytes, NULL, NATURE_HELD },
		{ "mappings",
		  known(pic->memory.mapped_file_bytes) + known(pic->memory.stack_bytes) +
			  known(pic->memory.other_bytes),
		  NULL, walked ? NATURE_MAPPED : NATURE_UNWALKED },
	};
	char text[TEXT_MAX];
	size_t largest = 0;

	if (pic->memory.rss_bytes == PICTURE_UNKNOWN ||
	    pic->memory.resident_python_live_bytes == PICTURE_UNKNOWN)
		return 0;
	for (size_t i = 1; i < ARRAY_SIZE(parts); i++)
		if (parts[i].bytes > parts[largest].bytes)
			largest = i;
	if (parts[largest].say)
		parts[largest].say(pic, parts[largest].bytes, text);
	else
		say_part(pic, parts[largest].bytes, parts[largest].nature, text);
	add_shared(pic, text);
	free(pic->memory.verdict);
	free(pic->memory.verdict_kind);
	pic->memory.verdict = strdup(text);
	pic->memory.verdict_kind = strdup(parts[largest].kind);
	return pic->memory.verdict && pic->memory.verdict_kind ? 0 : -ENOMEM;
}
