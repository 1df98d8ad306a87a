/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/python_version.h"

#include <errno.h>
#include <stdio.h>

#include "base/util.h"

/* Writable data of an image that is searched for a text. */
#define SEARCH_MAX (64 * MiB)

/* getversion.c: "%.80s (%.80s) %.80s" in a static buffer of 250, 300 from 3.10 */
#define VERSION_TEXT_MAX 300u

/* ---- numbers and texts --------------------------------------------------------------------------
 */

static bool is_python3(uint32_t hex)
{
	unsigned int minor = hex >> 16 & 0xff, level = hex >> 4 & 0xf;

	/* Levels: alpha, beta, candidate, final (Include/patchlevel.h). */
	return hex >> 24 == 3 && minor >= 7 && minor < 100 && level >= 0xa && level != 0xd &&
	       level != 0xe;
}

/* Decimal number below 256 from the left of [*at, end). */
static bool take_number(const char **at, const char *end, uint32_t *ret)
{
	uint32_t value = 0;
	const char *p = *at;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		value = 10 * value + (uint32_t)(*p - '0');
		if (value > 255)
			return false;
	}
	if (p == *at)
		return false;
	*at = p;
	*ret = value;
	return true;
}

static bool take_text(const char **at, const char *end, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(end - *at) < len || memcmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

/* What follows the numbers: "", "a1", "b2", "rc1", and "+" behind any of them. */
static bool take_level(const char **at, const char *end, uint32_t *level, uint32_t *serial)
{
	static const struct {
		const char *text;
		uint32_t level;
	} levels[] = { { "a", 0xa }, { "b", 0xb }, { "rc", 0xc } };

	*level = 0xf;
	*serial = 0;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (take_text(at, end, levels[i].text)) {
			*level = levels[i].level;
			if (!take_number(at, end, serial) || *serial > 15)
				return false;
			break;
		}
	take_text(at, end, "+");
	return *at == end || **at == ' ' || **at == '\0';
}

uint32_t python_version_parse(const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	uint32_t major, minor, micro, level, serial, hex;

	if (!take_number(&at, end, &major) || !take_text(&at, end, ".") ||
	    !take_number(&at, end, &minor) || !take_text(&at, end, ".") ||
	    !take_number(&at, end, &micro) || !take_level(&at, end, &level, &serial))
		return 0;
	hex = PYTHON_HEX(major, minor, micro) | level << 4 | serial;
	return is_python3(hex) ? hex : 0;
}

void python_version_format(uint32_t hex, char *buf)
{
	static const char *const levels[16] = { [0xa] = "a", [0xb] = "b", [0xc] = "rc" };
	const char *level = levels[hex >> 4 & 0xf];
	int n = snprintf(buf, 24, "%u.%u.%u", hex >> 24, hex >> 16 & 0xff, hex >> 8 & 0xff);

	if (level)
		snprintf(buf + n, 24 - (size_t)n, "%s%u", level, hex & 0xf);
}

/* ---- _Py_DebugOffsets and Py_Version
 * ------------------------------------------------------------- */

/*
 * 3.13+: _PyRuntime begins with char cookie[8], uint64_t version, uint64_t free_threaded
 * (Include/internal/pycore_runtime.h, pycore_debug_offsets.h).
 */
static int from_debug_offsets(struct python *py, struct memory *mem)
{
	unsigned char head[24];
	int r = memory_read(mem, py->runtime, head, sizeof(head));
	uint64_t hex, free_threaded;

	if (r < 0)
		return r;
	if (memcmp(head, "xdebugpy", 8) != 0)
		return -ENODATA;
	hex = load_u64(head + 8);
	free_threaded = load_u64(head + 16);
	if (hex > UINT32_MAX || !is_python3((uint32_t)hex) || free_threaded > 1)
		return -EBADMSG;
	py->hex = (uint32_t)hex;
	py->free_threaded = free_threaded;
	py->evidence = PYTHON_EVIDENCE_DEBUG_OFFSETS;
	return 0;
}

/* 3.11+: const unsigned long Py_Version = PY_VERSION_HEX (Python/getversion.c), from the file. */
static int from_constant(const struct python *py, uint32_t *ret)
{
	struct elf_symbol sym;
	const void *bytes;
	uint64_t hex;

	if (!elf_find_symbol(py->image, "Py_Version", &sym))
		return -ENODATA;
	bytes = elf_bytes(py->image, sym.value, sizeof(hex));
	if (!bytes)
		return -ENODATA;
	hex = load_u64(bytes);
	if (hex > UINT32_MAX || !is_python3((uint32_t)hex))
		return -EBADMSG;
	*ret = (uint32_t)hex;
	return 0;
}

/* ---- the text of Py_GetVersion()
 * ----------------------------------------------------------------- */

/* Does the image's read-only data have @text as a whole literal (or as the end of a merged one)? */
static bool has_literal(const struct elf *elf, const char *text, size_t len)
{
	char literal[VERSION_TEXT_MAX + 1];
	struct elf_section rodata;

	if (len > VERSION_TEXT_MAX || !elf_find_section(elf, ".rodata", &rodata) || !rodata.data)
		return false;
	memcpy(literal, text, len);
	literal[len] = '\0';
	return memmem(rodata.data, rodata.size, literal, len + 1) != NULL;
}

/*
 * One place @at where ") [" stands: the text around it is that of Py_GetVersion() if it runs from a
 * NUL to " (" as a version, and the same text is the literal PY_VERSION in the image. Distributions
 * add to PY_VERSION ("3.8.5 | packaged by conda-forge |"), behind a space. 0 when it is not.
 */
static uint32_t check_text(const struct elf *elf, const char *start, const char *at)
{
	const char *text = at, *paren;
	uint32_t hex;

	while (text > start && text[-1] != '\0' && at - text < (ptrdiff_t)VERSION_TEXT_MAX)
		text--;
	paren = memmem(text, (size_t)(at - text), " (", 2);
	hex = paren ? python_version_parse(text, (size_t)(paren - text)) : 0;
	return hex && has_literal(elf, text, (size_t)(paren - text)) ? hex : 0;
}

/* All such places in one piece of live memory must agree with each other and with *hex, if that is
 * set. */
static int search_text(const struct elf *elf, const char *data, size_t len, uint32_t *hex)
{
	const char *end = data + len, *at = data;

	/* Python/getcompiler.c: the compiler is "\n[GCC 8.3.0]" up to 3.9 and "[GCC 8.3.0]"
	 * from 3.10. */
	for (; (at = memmem(at, (size_t)(end - at), ") ", 2)); at++) {
		const char *next = at + 2;
		uint32_t found;

		take_text(&next, end, "\n");
		if (!take_text(&next, end, "["))
			continue;
		found = check_text(elf, data, at);

		if (found && *hex && found != *hex)
			return -EBADMSG;
		if (found)
			*hex = found;
	}
	return 0;
}

/* Up to 3.10 only code knows the version, and the text that it formats when sys.version is made. */
static int from_text(struct python *py, struct memory *mem)
{
	size_t count;
	const struct elf_segment *segs = elf_segments(py->image, &count);
	uint32_t hex = 0;

	for (size_t i = 0; i < count; i++) {
		size_t len = MIN(segs[i].memsz, SEARCH_MAX);
		_cleanup_free_ char *data = NULL;
		ssize_t n;
		int r;

		if (!segs[i].write || len == 0)
			continue;
		data = malloc(len);
		if (!data)
			return -ENOMEM;
		n = memory_read_some(mem, py->bias + segs[i].vaddr, data, len);
		if (n < 0)
			return (int)n;
		r = search_text(py->image, data, (size_t)n, &hex);
		if (r < 0)
			return r;
	}
	if (!hex)
		return -ENODATA;
	py->hex = hex;
	py->evidence = PYTHON_EVIDENCE_VERSION_STRING;
	return 0;
}

/* ---- all together -------------------------------------------------------------------------------
 */

int python_version_read(struct python *py, struct memory *mem)
{
	uint32_t constant = 0;
	int offsets = from_debug_offsets(py, mem), r;

	if (offsets < 0 && offsets != -ENODATA)
		return offsets;
	r = from_constant(py, &constant);
	if (r < 0 && r != -ENODATA)
		return r;

	if (offsets == 0 && constant && constant != py->hex)
		return -EBADMSG;
	/* Without its debug offsets a 3.13 could be free-threaded or not, and nothing would say so.
	 */
	if (offsets < 0 && constant >= PYTHON_HEX(3, 13, 0))
		return -EBADMSG;
	if (offsets < 0 && constant) {
		py->hex = constant;
		py->evidence = PYTHON_EVIDENCE_PY_VERSION;
	} else if (offsets < 0) {
		r = from_text(py, mem);
		if (r < 0)
			return r;
	}
	python_version_format(py->hex, py->version);

	/* Objects/object.c defines it inside #ifdef Py_REF_DEBUG, which --with-pydebug sets (3.7
	 * to 3.14). */
	py->debug = elf_has_symbol(py->image, "_Py_NegativeRefcount");
	return 0;
}
