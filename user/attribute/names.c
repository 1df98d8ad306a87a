/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/names.h"

#include "attribute/dicts.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/util.h"

#include <errno.h>

/* Bytes of an entry of a keys table that are of interest. */
#define ENTRIES_MAX 1024

#define PAGE 4096u
#define PAGES 512u

struct names_pages {
	uint64_t numbers[PAGES]; /* 0: none */
	uint8_t bytes[PAGES][PAGE];
};

struct names_pages *names_pages_new(void)
{
	return calloc(1, sizeof(struct names_pages));
}

void names_pages_free(struct names_pages *pages)
{
	free(pages);
}

/* NULL where not all of the page can be read. */
static const uint8_t *names_page(const struct names *names, uint64_t number)
{
	uint64_t slot = number * 0x9e3779b97f4a7c15ull >> 32 & (PAGES - 1);
	struct names_pages *pages = names->pages;

	if (pages->numbers[slot] == number)
		return pages->bytes[slot];
	pages->numbers[slot] = 0;
	if (!number || memory_read(names->mem, number * PAGE, pages->bytes[slot], PAGE) < 0)
		return NULL;
	pages->numbers[slot] = number;
	return pages->bytes[slot];
}

static int names_read(const struct names *names, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	if (!names->pages || len > PAGE || addr + len < addr)
		return memory_read(names->mem, addr, buf, len);
	while (done < len) {
		uint64_t at = (addr + done) % PAGE, part = MIN(len - done, PAGE - at);
		const uint8_t *page = names_page(names, (addr + done) / PAGE);

		if (!page)
			return memory_read(names->mem, addr, buf, len);
		memcpy((uint8_t *)buf + done, page + at, part);
		done += part;
	}
	return 0;
}

/* Characters of @kind bytes to UTF-8. */
static size_t str_decode(const uint8_t *chars, size_t count, uint32_t kind, char *buf, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < count && at + 5 <= cap; i++) {
		uint32_t c = kind == 1	 ? chars[i]
			     : kind == 2 ? load_u16(chars + 2 * i)
					 : load_u32(chars + 4 * i);

		at += utf8_put(buf + at, c);
	}
	buf[at] = '\0';
	return at;
}

static bool names_is_str(const struct names *names, const uint8_t *head)
{
	const struct layout *l = names->layout;
	uint64_t type = load_u64(head + l->ob_type), flags;

	return types_may_be_at(type) &&
	       names_read(names, type + l->tp_flags, &flags, sizeof(flags)) >= 0 &&
	       (flags & TPFLAGS_UNICODE_SUBCLASS);
}

ssize_t names_read_str(const struct names *names, uint64_t addr, char *buf, size_t cap)
{
	const struct layout *l = names->layout;
	uint8_t head[96], chars[4 * NAMES_MAX];
	uint32_t state, kind;
	uint64_t length, data;
	size_t count;

	if (!addr || addr % 8 || names_read(names, addr, head, l->sizeof_ascii) < 0)
		return -EFAULT;
	if (!names_is_str(names, head))
		return -EINVAL;
	length = load_u64(head + l->str_length);
	state = load_u32(head + l->str_state);
	kind = (state >> l->str_kind_shift) & l->str_kind_mask;
	if (kind != 1 && kind != 2 && kind != 4)
		return -EINVAL;
	if (!(state & l->str_compact_mask)) {
		if (names_read(names, addr + l->str_data, &data, sizeof(data)) < 0)
			return -EFAULT;
	} else {
		data = addr + (state & l->str_ascii_mask ? l->sizeof_ascii : l->sizeof_compact);
	}
	count = MIN(length, (uint64_t)NAMES_MAX);
	if (names_read(names, data, chars, count * kind) < 0)
		return -EFAULT;
	return (ssize_t)str_decode(chars, count, kind, buf, cap);
}

int names_read_keys(const struct names *names, uint64_t addr, struct dict_keys *ret,
		    uint8_t **ret_bytes)
{
	uint8_t header[DICT_KEYS_HEADER];
	size_t len;
	int r;

	r = names_read(names, addr, header, sizeof(header));
	if (r < 0)
		return r;
	if (!dicts_decode_keys(names->layout, header, ret))
		return -EINVAL;
	len = MIN((uint64_t)ret->nentries, (uint64_t)ENTRIES_MAX) * ret->entry_size;
	*ret_bytes = malloc(len ? len : 1);
	if (!*ret_bytes)
		return -ENOMEM;
	return names_read(names, addr + ret->entries, *ret_bytes, len);
}

static bool is_module_key(struct names *names, uint64_t key)
{
	char text[16];

	if (names->module_key)
		return key == names->module_key;
	if (names_read_str(names, key, text, sizeof(text)) < 0 || !streq(text, "__module__"))
		return false;
	names->module_key = key;
	return true;
}

/* type.__dict__["__module__"], a str. */
static bool read_module(struct names *names, const struct type *type, char *buf, size_t cap)
{
	const struct layout *l = names->layout;
	_cleanup_free_ uint8_t *entries = NULL;
	struct dict_keys k;
	uint64_t keys;

	if (!type->dict || names_read(names, type->dict + l->ma_keys, &keys, sizeof(keys)) < 0 ||
	    names_read_keys(names, keys, &k, &entries) < 0)
		return false;
	for (int64_t i = 0; i < MIN(k.nentries, (int64_t)ENTRIES_MAX); i++) {
		const uint8_t *entry = entries + (uint64_t)i * k.entry_size;
		uint64_t key = load_u64(entry + k.entry_key);

		if (key && is_module_key(names, key))
			return names_read_str(names, load_u64(entry + k.entry_size - 8), buf,
					      cap) >= 0;
	}
	return false;
}

/* tp_name of C types is the whole name; of those in builtins it has no dot, and needs none. */
static void name_from_c(struct names *names, const struct type *type, char *buf, size_t cap)
{
	char raw[NAMES_MAX];
	ssize_t n = memory_read_string(names->mem, type->name, raw, sizeof(raw));

	if (n <= 0)
		snprintf(buf, cap, "?");
	else
		utf8_sanitize(buf, cap, raw, (size_t)n);
}

void names_of_type(struct names *names, const struct type *type, char *buf, size_t cap)
{
	char module[NAMES_MAX * 2], qualname[NAMES_MAX * 2];

	if (!type->python_class) {
		name_from_c(names, type, buf, cap);
		return;
	}
	if (names_read_str(names, type->qualname, qualname, sizeof(qualname)) < 0)
		name_from_c(names, type, qualname, sizeof(qualname));
	if (!read_module(names, type, module, sizeof(module)))
		snprintf(module, sizeof(module), "?");
	if (streq(module, "builtins"))
		snprintf(buf, cap, "%s", qualname);
	else
		snprintf(buf, cap, "%s.%s", module, qualname);
}

int names_of_shared_keys(const struct names *names, const struct type *type, struct names_keys *ret)
{
	_cleanup_free_ uint8_t *entries = NULL;
	struct names_keys out = {};
	struct dict_keys k;
	size_t count;
	int r;

	if (!type->cached_keys)
		return -ENOENT;
	r = names_read_keys(names, type->cached_keys, &k, &entries);
	if (r < 0)
		return r;
	count = MIN((uint64_t)k.nentries, (uint64_t)NAMES_MAX);
	out.list = calloc(count + 1, sizeof(char *));
	if (!out.list)
		return -ENOMEM;
	out.used = (uint64_t)k.nentries;
	out.capacity = (uint64_t)(k.nentries + k.usable);
	out.bytes = k.bytes;
	for (size_t i = 0; i < count; i++) {
		char text[NAMES_MAX * 4];

		if (names_read_str(names, load_u64(entries + i * k.entry_size + k.entry_key), text,
				   sizeof(text)) < 0)
			snprintf(text, sizeof(text), "?");
		out.list[out.count] = strdup(text);
		if (!out.list[out.count]) {
			names_keys_fini(&out);
			return -ENOMEM;
		}
		out.count++;
	}
	*ret = out;
	return 0;
}

void names_keys_fini(struct names_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->list[i]);
	free(keys->list);
	*keys = (struct names_keys){};
}
