/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#include "base/util.h"

#define REPLACEMENT 0xFFFDu

struct range {
	uint32_t first, last;
};

/*
 * Code points of width 0 and 2 in the terminals that matter, after UAX #11 (East Asian Width W and
 * F) and the general categories Mn, Me and Cf of Unicode 15.0, by block rather than by character. A
 * table of our own because wcwidth() knows only ASCII in the C locale, and daemons run in that.
 */
static const struct range zero_width[] = {
	{ 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD },   { 0x0610, 0x061A },
	{ 0x064B, 0x065F }, { 0x06D6, 0x06DC }, { 0x0E31, 0x0E31 },   { 0x0E34, 0x0E3A },
	{ 0x0E47, 0x0E4E }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF },   { 0x200B, 0x200F },
	{ 0x202A, 0x202E }, { 0x2060, 0x2064 }, { 0x20D0, 0x20FF },   { 0xFE00, 0xFE0F },
	{ 0xFE20, 0xFE2F }, { 0xFEFF, 0xFEFF }, { 0xE0100, 0xE01EF },
};

static const struct range double_width[] = {
	{ 0x1100, 0x115F },   { 0x231A, 0x231B },   { 0x2E80, 0x303E },	  { 0x3041, 0x33FF },
	{ 0x3400, 0x4DBF },   { 0x4E00, 0x9FFF },   { 0xA000, 0xA4CF },	  { 0xA960, 0xA97F },
	{ 0xAC00, 0xD7A3 },   { 0xF900, 0xFAFF },   { 0xFE30, 0xFE6F },	  { 0xFF00, 0xFF60 },
	{ 0xFFE0, 0xFFE6 },   { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1F9FF },
	{ 0x20000, 0x2FFFD }, { 0x30000, 0x3FFFD },
};

/* Bidirectional overrides and isolates: they let text show in another order than it has
 * (CVE-2021-42574). */
static const struct range bidi[] = {
	{ 0x061C, 0x061C },
	{ 0x200E, 0x200F },
	{ 0x202A, 0x202E },
	{ 0x2066, 0x2069 },
};

static bool in_ranges(uint32_t cp, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return true;
	return false;
}

static bool is_surrogate(uint32_t cp)
{
	return cp >= 0xD800 && cp <= 0xDFFF;
}

/* Reads one code point; returns its bytes, or 0 when @s does not start with a valid one. */
static size_t decode(uint32_t *ret, const unsigned char *s, size_t len)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t cp;
	size_t n;

	if (!len)
		return 0;
	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}

	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		n = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		n = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		n = 4;
	else
		return 0;
	if (n > len)
		return 0;

	cp = s[0] & (0xFFu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3Fu);
	}
	if (cp < smallest[n] || cp > 0x10FFFF || is_surrogate(cp))
		return 0;
	*ret = cp;
	return n;
}

size_t utf8_put(char *dst, unsigned int cp)
{
	if (cp > 0x10FFFF || is_surrogate(cp))
		cp = REPLACEMENT;

	if (cp < 0x80) {
		dst[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		dst[0] = (char)(0xC0 | cp >> 6);
		dst[1] = (char)(0x80 | (cp & 0x3F));
		return 2;
	}
	if (cp < 0x10000) {
		dst[0] = (char)(0xE0 | cp >> 12);
		dst[1] = (char)(0x80 | (cp >> 6 & 0x3F));
		dst[2] = (char)(0x80 | (cp & 0x3F));
		return 3;
	}
	dst[0] = (char)(0xF0 | cp >> 18);
	dst[1] = (char)(0x80 | (cp >> 12 & 0x3F));
	dst[2] = (char)(0x80 | (cp >> 6 & 0x3F));
	dst[3] = (char)(0x80 | (cp & 0x3F));
	return 4;
}

static bool is_harmful(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || in_ranges(cp, bidi, ARRAY_SIZE(bidi));
}

static size_t copy(char *dst, size_t cap, const unsigned char *src, size_t len, bool printable)
{
	size_t used = 0;

	if (!cap)
		return 0;

	for (size_t i = 0; i < len;) {
		char bytes[4];
		uint32_t cp;
		size_t n = decode(&cp, src + i, len - i);

		i += n ? n : 1;
		if (!n)
			cp = REPLACEMENT;
		else if (printable && is_harmful(cp))
			cp = '?';

		n = utf8_put(bytes, cp);
		if (n >= cap - used)
			break;
		memcpy(dst + used, bytes, n);
		used += n;
	}
	dst[used] = '\0';
	return used;
}

size_t utf8_sanitize(char *dst, size_t cap, const void *src, size_t len)
{
	return copy(dst, cap, src, len, false);
}

size_t utf8_printable(char *dst, size_t cap, const void *src, size_t len)
{
	return copy(dst, cap, src, len, true);
}

size_t utf8_width(const char *s)
{
	size_t len = strlen(s), width = 0;

	for (size_t i = 0; i < len;) {
		uint32_t cp;
		size_t n = decode(&cp, (const unsigned char *)s + i, len - i);

		i += n ? n : 1;
		if (n && in_ranges(cp, zero_width, ARRAY_SIZE(zero_width)))
			continue;
		width += n && in_ranges(cp, double_width, ARRAY_SIZE(double_width)) ? 2 : 1;
	}
	return width;
}
