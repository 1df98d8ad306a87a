/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/maps.h"

#include <errno.h>
#include <stdio.h>

#include "base/util.h"

#define MAPPINGS_MAX 1000000u
/* A line is about 100 bytes; a path may take 4096 and four times that when escaped. */
#define READ_TRIES 8
#define MAPS_TEXT_MAX (512 * MiB)

static const char deleted_suffix[] = " (deleted)";

/* ---- one line -------------------------------------------------------------------------------- */

/* What is left of a line, from the left. */
struct cursor {
	const char *at, *end;
};

/* A number of @base 16 or 10 that ends at @stop; false when there is none or it does not fit. */
static bool take_number(struct cursor *cur, unsigned int base, char stop, uint64_t *ret)
{
	const char *start = cur->at;
	uint64_t value = 0;

	for (; cur->at < cur->end && *cur->at != stop; cur->at++) {
		unsigned int digit;

		if (*cur->at >= '0' && *cur->at <= '9')
			digit = (unsigned int)(*cur->at - '0');
		else if (*cur->at >= 'a' && *cur->at <= 'f')
			digit = (unsigned int)(*cur->at - 'a') + 10;
		else
			return false;
		if (digit >= base || value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (cur->at == start || cur->at == cur->end)
		return false;
	cur->at++;
	*ret = value;
	return true;
}

/* "rwxp " */
static bool take_rights(struct cursor *cur, struct mapping *map)
{
	const char *p = cur->at;

	if (cur->end - p < 5 || !memchr("r-", p[0], 2) || !memchr("w-", p[1], 2) ||
	    !memchr("x-", p[2], 2) || !memchr("sp", p[3], 2) || p[4] != ' ')
		return false;
	map->read = p[0] == 'r';
	map->write = p[1] == 'w';
	map->exec = p[2] == 'x';
	map->shared = p[3] == 's';
	cur->at += 5;
	return true;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The kernel escapes only the newline in paths of this file (seq_file_path(m, file, "\n")). */
static size_t unescape(char *dst, const char *src, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (src[i] == '\\' && len - i >= 4 && is_octal(src[i + 1]) &&
		    is_octal(src[i + 2]) && is_octal(src[i + 3])) {
			char c = (char)((src[i + 1] - '0') << 6 | (src[i + 2] - '0') << 3 |
					(src[i + 3] - '0'));

			if (c == '\n') {
				dst[n++] = c;
				i += 3;
				continue;
			}
		}
		dst[n++] = src[i];
	}
	dst[n] = '\0';
	return n;
}

static enum mapping_kind kind_of(const struct mapping *map)
{
	static const struct {
		const char *prefix;
		enum mapping_kind kind;
	} kinds[] = {
		{ "[heap]", MAPPING_HEAP },
		{ "[stack", MAPPING_STACK }, /* "[stack:TID]" from 3.4 to 4.4 */
		{ "[anon", MAPPING_ANON },   /* "[anon:NAME]", "[anon_shmem:NAME]" */
		{ "[", MAPPING_SPECIAL },
	};

	if (map->path[0] == '\0')
		return MAPPING_ANON;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strncmp(map->path, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	return MAPPING_FILE;
}

/* The rest of a line: spaces, then a name. @dst has room for all of it and a NUL. Returns bytes
 * used. */
static size_t take_path(const struct cursor *cur, struct mapping *map, char *dst)
{
	const size_t suffix = sizeof(deleted_suffix) - 1;
	const char *p = cur->at;
	size_t len;

	while (p < cur->end && *p == ' ')
		p++;
	len = unescape(dst, p, (size_t)(cur->end - p));
	if (dst[0] == '/' && len > suffix && streq(dst + len - suffix, deleted_suffix)) {
		map->deleted = true;
		len -= suffix;
		dst[len] = '\0';
	}
	map->path = dst;
	return len + 1;
}

/* start-end rights offset major:minor inode name (proc_pid_maps(5)) */
static bool parse_line(struct cursor cur, struct mapping *map, char *dst, size_t *used)
{
	uint64_t dev_major, dev_minor;

	*map = (struct mapping){ 0 };
	if (!take_number(&cur, 16, '-', &map->start) || !take_number(&cur, 16, ' ', &map->end) ||
	    !take_rights(&cur, map) || !take_number(&cur, 16, ' ', &map->offset) ||
	    !take_number(&cur, 16, ':', &dev_major) || !take_number(&cur, 16, ' ', &dev_minor) ||
	    !take_number(&cur, 10, ' ', &map->inode))
		return false;
	if (map->start >= map->end || dev_major > UINT32_MAX || dev_minor > UINT32_MAX)
		return false;
	map->dev_major = (uint32_t)dev_major;
	map->dev_minor = (uint32_t)dev_minor;

	*used = take_path(&cur, map, dst);
	map->kind = kind_of(map);
	return true;
}

/* ---- all lines ------------------------------------------------------------------------------- */

void maps_free(struct maps *maps)
{
	if (!maps)
		return;
	free(maps->list);
	free(maps->strings);
	free(maps);
}

static size_t count_lines(const char *text, size_t len)
{
	size_t n = 0;

	for (const char *p = text, *end = text + len; p < end; p++) {
		p = memchr(p, '\n', (size_t)(end - p));
		n++;
		if (!p)
			break;
	}
	return n;
}

/* Fills @maps, whose arrays are large enough. */
static int parse_all(struct maps *maps, const char *text, size_t len)
{
	const char *end = text + len;
	char *dst = maps->strings;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		struct mapping *map = &maps->list[maps->count];
		struct cursor cur = { .at = text, .end = eol ? eol : end };
		size_t used;

		if (!parse_line(cur, map, dst, &used))
			return -EINVAL;
		/* maps_find() relies on the order, which the kernel keeps also across its chunks of
		 * one page. */
		if (maps->count && map->start < map[-1].end)
			return -EINVAL;
		dst += used;
		maps->count++;
		text = eol ? eol + 1 : end;
	}
	return 0;
}

static bool goes_on(const struct mapping *map, const struct mapping *next)
{
	return next->start == map->end && next->kind == map->kind && next->write == map->write &&
	       next->shared == map->shared;
}

/* From the end, so that a long run costs no more than a short one. */
static void find_run_ends(struct maps *maps)
{
	for (size_t i = maps->count; i-- > 0;) {
		struct mapping *map = &maps->list[i];

		map->run_end = i + 1 < maps->count && goes_on(map, map + 1) ? map[1].run_end
									    : map->end;
	}
}

int maps_parse(const char *text, size_t len, struct maps **ret)
{
	_cleanup_maps_ struct maps *maps = calloc(1, sizeof(*maps));
	size_t lines = count_lines(text, len);
	int r;

	if (!maps)
		return -ENOMEM;
	if (lines > MAPPINGS_MAX)
		return -E2BIG;
	maps->list = calloc(lines + 1, sizeof(*maps->list));
	maps->strings = malloc(len + 1);
	if (!maps->list || !maps->strings)
		return -ENOMEM;

	r = parse_all(maps, text, len);
	if (r < 0)
		return r;
	find_run_ends(maps);
	*ret = TAKE_PTR(maps);
	return 0;
}

static int maps_read_once(const struct process *proc, struct maps **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = process_read_file(proc, "maps", MAPS_TEXT_MAX, &text, &len);

	if (r < 0)
		return r;
	/* A zombie, or a process on its way out, has an empty file. */
	if (len == 0)
		return -ESRCH;
	return maps_parse(text, len, ret);
}

/*
 * The kernel lets go of the address space between one page of text and the next
 * (fs/proc/task_mmu.c, m_start): a mapping that was printed and has grown since may come again,
 * over itself.
 */
int maps_read(const struct process *proc, struct maps **ret)
{
	int r = -EINVAL;

	for (int i = 0; i < READ_TRIES && r == -EINVAL; i++)
		r = maps_read_once(proc, ret);
	return r;
}

const struct mapping *maps_find(const struct maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (maps->list[mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low < maps->count && maps->list[low].start <= addr ? &maps->list[low] : NULL;
}

/* ---- back to text ---------------------------------------------------------------------------- */

static void format_mapping(FILE *out, const struct mapping *map)
{
	fprintf(out, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", map->start, map->end,
		map->read ? 'r' : '-', map->write ? 'w' : '-', map->exec ? 'x' : '-',
		map->shared ? 's' : 'p', map->offset, map->dev_major, map->dev_minor, map->inode);
	for (const char *p = map->path; *p; p++) {
		if (*p == '\n')
			fputs("\\012", out);
		else
			fputc(*p, out);
	}
	fprintf(out, "%s\n", map->deleted ? deleted_suffix : "");
}

char *maps_format(const struct maps *maps, size_t *len)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *out = open_memstream(&text, len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < maps->count; i++)
		format_mapping(out, &maps->list[i]);
	if (fclose(TAKE_PTR(out)) != 0)
		return NULL;
	return TAKE_PTR(text);
}

bool maps_begins_run(const struct maps *maps, const struct mapping *map)
{
	return map == maps->list || !goes_on(map - 1, map);
}
