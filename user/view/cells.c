/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/cells.h"

#include "base/format.h"

#include <stdio.h>

static char *unknown(char *buf)
{
	snprintf(buf, CELLS_MAX, "-");
	return buf;
}

char *cells_size(char *buf, int64_t bytes)
{
	return bytes < 0 ? unknown(buf) : format_size(buf, (uint64_t)bytes);
}

char *cells_size_delta(char *buf, int64_t bytes)
{
	return bytes == PICTURE_UNKNOWN ? unknown(buf) : format_size_delta(buf, bytes);
}

char *cells_count(char *buf, int64_t n)
{
	return n < 0 ? unknown(buf) : format_count(buf, (uint64_t)n);
}

char *cells_count_delta(char *buf, int64_t n)
{
	char digits[FORMAT_SIZE_MAX + 4];

	if (n == PICTURE_UNKNOWN)
		return unknown(buf);
	format_count(digits, n < 0 ? -(uint64_t)n : (uint64_t)n);
	snprintf(buf, CELLS_MAX, "%s%s", n > 0 ? "+" : n < 0 ? "-" : "", digits);
	return buf;
}

char *cells_rate(char *buf, double per_second)
{
	if (!isfinite(per_second) || per_second < 0 || per_second > 1e18)
		return unknown(buf);
	if (per_second >= 9.95 || per_second == 0)
		return format_count(buf, (uint64_t)llround(per_second));
	snprintf(buf, CELLS_MAX, "%.1f", per_second);
	return buf;
}

char *cells_ratio(char *buf, double ratio)
{
	if (!isfinite(ratio))
		return unknown(buf);
	snprintf(buf, CELLS_MAX, "%.1f%%", 100 * ratio);
	return buf;
}

char *cells_share(char *buf, int64_t part, int64_t whole)
{
	if (part < 0 || whole <= 0)
		return unknown(buf);
	/* Never rounded up to all: 100% says that nothing is missing. */
	snprintf(buf, CELLS_MAX, "%.0f%%", floor(100.0 * (double)part / (double)whole));
	return buf;
}

char *cells_duration(char *buf, double ms)
{
	if (!isfinite(ms))
		return unknown(buf);
	if (ms < 1000)
		snprintf(buf, CELLS_MAX, ms < 10 ? "%.1f ms" : "%.0f ms", ms);
	else
		snprintf(buf, CELLS_MAX, "%.1f s", ms / 1000);
	return buf;
}

char *cells_storage(char *buf, const struct picture_type *type)
{
	char share[CELLS_MAX];
	int64_t total = 0, most = 0;
	size_t which = 0;

	for (size_t i = 0; i < PICTURE_STORAGES_COUNT; i++) {
		if (i == PICTURE_STORAGE_NONE || type->storage[i] <= 0 ||
		    __builtin_add_overflow(total, type->storage[i], &total))
			continue;
		if (type->storage[i] > most) {
			most = type->storage[i];
			which = i;
		}
	}
	if (!most)
		return unknown(buf);
	snprintf(buf, CELLS_MAX, "%s %s", picture_storage_names[which],
		 cells_share(share, most, total));
	return buf;
}

char *cells_layout_change(char *buf, const struct picture_layout_change *change)
{
	char time[32], count[CELLS_MAX];
	int len = snprintf(buf, CELLS_CHANGE_MAX,
			   "%.200s stopped sharing its keys before %s: %s instances own theirs",
			   change->type ? change->type : "?",
			   format_timestamp(time, change->seen_unix_ns),
			   cells_count(count, change->objects));

	for (size_t k = 0; k < change->keys_count && len < 400; k++)
		len += snprintf(buf + len, CELLS_CHANGE_MAX - (size_t)len, "%s%.40s",
				k ? ", " : "; not shared: ", change->keys[k]);
	return buf;
}
