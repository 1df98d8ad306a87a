/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/elf_unwind.h"

#include "base/util.h"

#define FUNCTIONS_MAX 4000000u

/* Pointer encodings (LSB 5.0, Core, 10.5.1); bit 3 of the format says signed. */
enum {
	DW_EH_PE_absptr = 0x00,
	DW_EH_PE_udata2 = 0x02,
	DW_EH_PE_udata4 = 0x03,
	DW_EH_PE_udata8 = 0x04,
	DW_EH_PE_pcrel = 0x10,
	DW_EH_PE_omit = 0xff,
};

/* Not understood: no address of this encoding is taken. */
#define ENCODING_UNKNOWN DW_EH_PE_omit

/* A part of .eh_frame that is read from the left. */
struct cursor {
	const unsigned char *at, *end;
	uint64_t addr; /* of @at in the file's address space */
};

struct functions {
	struct elf_function *list;
	size_t count, cap;
};

static bool take(struct cursor *cur, void *dst, size_t len)
{
	if ((size_t)(cur->end - cur->at) < len)
		return false;
	if (dst)
		memcpy(dst, cur->at, len);
	cur->at += len;
	cur->addr += len;
	return true;
}

/* LEB128 of either sign: the values are only skipped or small. */
static bool take_leb(struct cursor *cur, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned char byte;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (!take(cur, &byte, 1))
			return false;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* Bytes of an encoded pointer, 0 for those of variable length. */
static size_t encoded_size(unsigned char encoding)
{
	switch (encoding & 0x07) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
		return 8;
	case DW_EH_PE_udata2:
		return 2;
	case DW_EH_PE_udata4:
		return 4;
	default:
		return 0;
	}
}

/* A number of that format, sign-extended where the encoding has a sign. */
static bool take_number(struct cursor *cur, unsigned char encoding, uint64_t *ret)
{
	size_t size = encoded_size(encoding);
	uint64_t value = 0;

	if (size == 0 || !take(cur, &value, size))
		return false;
	if ((encoding & 0x08) && size < 8 && (value >> (8 * size - 1)))
		value |= UINT64_MAX << (8 * size);
	*ret = value;
	return true;
}

/* The encoding of the addresses in the FDEs of a CIE, whose text begins behind its ID. */
static unsigned char read_cie(struct cursor cur)
{
	const unsigned char *augmentation, *nul;
	unsigned char version, encoding = DW_EH_PE_absptr, byte;
	uint64_t skipped;

	if (!take(&cur, &version, 1) || (version != 1 && version != 3 && version != 4))
		return ENCODING_UNKNOWN;
	augmentation = cur.at;
	nul = memchr(cur.at, '\0', (size_t)(cur.end - cur.at));
	if (!nul || !take(&cur, NULL, (size_t)(nul + 1 - cur.at)))
		return ENCODING_UNKNOWN;
	if (*augmentation == '\0')
		return encoding;
	/* "z": there is a length, so that it can be told what the other letters bring. */
	if (*augmentation != 'z')
		return ENCODING_UNKNOWN;
	if (version == 4 && !take(&cur, NULL, 2)) /* address size, segment size */
		return ENCODING_UNKNOWN;
	/* Code alignment, data alignment, return register, length of what the letters bring. */
	for (int field = 0; field < 4; field++)
		if (!(field == 2 && version == 1 ? take(&cur, NULL, 1) : take_leb(&cur, &skipped)))
			return ENCODING_UNKNOWN;

	for (const unsigned char *letter = augmentation + 1; *letter; letter++) {
		if (*letter == 'S' || *letter == 'B')
			continue;
		if (!strchr("RLP", *letter) || !take(&cur, &byte, 1))
			return ENCODING_UNKNOWN;
		if (*letter == 'R')
			encoding = byte;
		if (*letter == 'P' && !take_number(&cur, byte, &skipped))
			return ENCODING_UNKNOWN;
	}
	return encoding;
}

static bool in_code(const struct elf *elf, const struct elf_function *fn)
{
	size_t count;
	const struct elf_segment *segs = elf_segments(elf, &count);

	for (size_t i = 0; i < count; i++)
		if (segs[i].exec && fn->start >= segs[i].vaddr &&
		    fn->start - segs[i].vaddr < segs[i].filesz && fn->end > fn->start &&
		    fn->end - segs[i].vaddr <= segs[i].filesz)
			return true;
	return false;
}

static bool add(struct functions *all, struct elf_function fn)
{
	if (all->count == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 1024;
		struct elf_function *list = reallocarray(all->list, cap, sizeof(*list));

		if (!list)
			return false;
		all->list = list;
		all->cap = cap;
	}
	all->list[all->count++] = fn;
	return true;
}

/* An FDE behind its CIE pointer. */
static bool read_fde(struct cursor cur, unsigned char encoding, struct elf_function *ret)
{
	unsigned char application = encoding & 0xf0;
	uint64_t at = cur.addr, start, size;

	if (encoding == ENCODING_UNKNOWN ||
	    (application != DW_EH_PE_absptr && application != DW_EH_PE_pcrel))
		return false;
	if (!take_number(&cur, encoding, &start) || !take_number(&cur, encoding & 0x07, &size))
		return false;
	if (application == DW_EH_PE_pcrel)
		start += at;
	*ret = (struct elf_function){ .start = start, .end = start + size };
	return true;
}

/* The section from its first byte: each record is a CIE, or an FDE that points back to one. */
static void walk(const struct elf *elf, const struct elf_section *section, struct functions *all)
{
	struct cursor cur = { .at = section->data, .addr = section->addr };
	const unsigned char *const base = section->data, *cie = NULL;
	unsigned char encoding = ENCODING_UNKNOWN;
	uint32_t len, id;

	cur.end = base + section->size;
	/* Length 0 is the terminator; 0xffffffff introduces 64-bit records, which no linker makes
	 * here. */
	while (all->count < FUNCTIONS_MAX && take(&cur, &len, 4) && len >= 4 && len != UINT32_MAX) {
		const unsigned char *id_at = cur.at;
		struct cursor record = cur;
		struct elf_function fn;

		if (!take(&cur, NULL, len))
			return;
		record.end = cur.at;
		take(&record, &id, 4);
		if (id == 0)
			continue;
		if (id > (size_t)(id_at - base))
			continue;
		if (cie != id_at - id) {
			struct cursor text = { .at = id_at - id, .end = record.end };

			cie = id_at - id;
			encoding = take(&text, NULL, 8) ? read_cie(text) : ENCODING_UNKNOWN;
		}
		if (read_fde(record, encoding, &fn) && in_code(elf, &fn) && !add(all, fn))
			return;
	}
}

static int compare_functions(const void *a, const void *b)
{
	const struct elf_function *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

struct elf_function *elf_unwind_read(const struct elf *elf, size_t *count)
{
	struct functions all = { 0 };
	struct elf_section section;
	size_t kept = 0;

	*count = 0;
	if (!elf_find_section(elf, ".eh_frame", &section) || !section.data)
		return NULL;
	walk(elf, &section, &all);
	if (all.count == 0) {
		free(all.list);
		return NULL;
	}

	qsort(all.list, all.count, sizeof(*all.list), compare_functions);
	for (size_t i = 0; i < all.count; i++)
		if (kept == 0 || all.list[i].start >= all.list[kept - 1].end)
			all.list[kept++] = all.list[i];
	*count = kept;
	return all.list;
}
