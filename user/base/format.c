/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/format.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit durations[] = {
	{ "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 }, { "", 1e9 },
};

static const struct unit sizes[] = {
	{ "", 1 },    { "B", 1 },   { "KiB", KiB }, { "MiB", MiB }, { "GiB", GiB }, { "K", KiB },
	{ "M", MiB }, { "G", GiB }, { "KB", 1e3 },  { "MB", 1e6 },  { "GB", 1e9 },
};

char *format_size(char *buf, uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(buf, FORMAT_SIZE_MAX, "%u B", (unsigned int)bytes);
		return buf;
	}
	/* 1023.95 would round to "1024.0": it reads better as the next unit's 1.0. */
	while (value >= 1023.95 && unit < ARRAY_SIZE(names) - 1) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, FORMAT_SIZE_MAX, "%.1f %s", value, names[unit]);
	return buf;
}

char *format_size_delta(char *buf, int64_t bytes)
{
	char size[FORMAT_SIZE_MAX];
	/* Unsigned negation: INT64_MIN has no positive counterpart. */
	uint64_t magnitude = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;

	format_size(size, magnitude);
	snprintf(buf, FORMAT_SIZE_MAX, "%s%.30s", bytes > 0 ? "+" : bytes < 0 ? "-" : "", size);
	return buf;
}

char *format_elapsed(char *buf, uint64_t seconds)
{
	static const struct {
		uint64_t seconds, rest;
		char letter, rest_letter;
	} units[] = { { 86400, 3600, 'd', 'h' }, { 3600, 60, 'h', 'm' }, { 60, 1, 'm', 's' } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (seconds < units[i].seconds)
			continue;
		snprintf(buf, FORMAT_SIZE_MAX, "%llu%c%02llu%c",
			 (unsigned long long)(seconds / units[i].seconds), units[i].letter,
			 (unsigned long long)(seconds % units[i].seconds / units[i].rest),
			 units[i].rest_letter);
		return buf;
	}
	snprintf(buf, FORMAT_SIZE_MAX, "%llus", (unsigned long long)seconds);
	return buf;
}

char *format_count(char *buf, uint64_t n)
{
	char digits[FORMAT_SIZE_MAX];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	char *out = buf;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

/* A plain decimal ("1", "0.5"): no sign, exponent, hex, infinity or locale. *rest: what follows. */
static int parse_number(const char *text, double *ret, const char **rest)
{
	double value = 0, scale = 1;
	const char *p = text;

	for (; isdigit((unsigned char)*p); p++)
		value = value * 10 + (*p - '0');
	if (p == text)
		return -EINVAL;
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++) {
			scale /= 10;
			value += (*p - '0') * scale;
		}
	}
	if (!isfinite(value))
		return -EINVAL;
	*ret = value;
	*rest = p;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t n, uint64_t *ret)
{
	const char *suffix;
	double value;

	if (parse_number(text, &value, &suffix) < 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (!streq(suffix, units[i].name))
			continue;
		value = value * units[i].factor + 0.5;
		/* 2^63: what fits a signed difference too. */
		if (value >= 9223372036854775808.0)
			return -EINVAL;
		*ret = (uint64_t)value;
		return 0;
	}
	return -EINVAL;
}

int format_parse_duration(const char *text, uint64_t *ret)
{
	return parse_with_unit(text, durations, ARRAY_SIZE(durations), ret);
}

int format_parse_size(const char *text, uint64_t *ret)
{
	return parse_with_unit(text, sizes, ARRAY_SIZE(sizes), ret);
}

int format_parse_ratio(const char *text, double *ret)
{
	const char *suffix;
	double value;

	if (parse_number(text, &value, &suffix) < 0)
		return -EINVAL;
	if (streq(suffix, "%"))
		value /= 100;
	else if (*suffix)
		return -EINVAL;
	if (value > 1)
		return -EINVAL;
	*ret = value;
	return 0;
}

char *format_timestamp(char *buf, uint64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / NSEC_PER_SEC);
	unsigned int ms = (unsigned int)(unix_ns % NSEC_PER_SEC / NSEC_PER_MSEC);
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, 32 - len, ".%03uZ", ms);
	return buf;
}
