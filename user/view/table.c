/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/table.h"

#include "base/utf8.h"
#include "base/util.h"

#include <errno.h>

#define GAP 2

struct table {
	const struct table_column *columns;
	size_t columns_count;
	char **cells;
	size_t cells_count, cells_capacity;
};

struct table *table_new(const struct table_column *columns, size_t count)
{
	struct table *table = count && count <= TABLE_COLUMNS_MAX ? calloc(1, sizeof(*table))
								  : NULL;

	if (table) {
		table->columns = columns;
		table->columns_count = count;
	}
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cells_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

int table_add(struct table *table, const char *text)
{
	size_t len = strlen(text), cap = 3 * len + 1; /* a bad byte becomes the three of U+FFFD */
	char *copy;

	if (table->cells_count == table->cells_capacity) {
		size_t capacity = MAX(2 * table->cells_capacity, (size_t)64);
		char **grown = reallocarray(table->cells, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->cells = grown;
		table->cells_capacity = capacity;
	}
	copy = malloc(cap);
	if (!copy)
		return -ENOMEM;
	utf8_printable(copy, cap, text, len);
	table->cells[table->cells_count++] = copy;
	return 0;
}

/* What the columns became: 0 for one that left. */
struct widths {
	size_t column[TABLE_COLUMNS_MAX];
};

static size_t natural_width(const struct table *table, size_t column)
{
	size_t width = utf8_width(table->columns[column].title);

	for (size_t i = column; i < table->cells_count; i += table->columns_count)
		width = MAX(width, utf8_width(table->cells[i]));
	return width;
}

static size_t total_width(const struct table *table, const struct widths *w)
{
	size_t total = 0;

	for (size_t i = 0; i < table->columns_count; i++) {
		if (w->column[i])
			total += w->column[i] + (total ? GAP : 0);
	}
	return total;
}

/* Takes what is too much from the columns that may be cut. */
static void cut_columns(const struct table *table, struct widths *w, size_t width)
{
	for (size_t i = 0; i < table->columns_count; i++) {
		size_t total = total_width(table, w), least = table->columns[i].least;

		if (total <= width)
			return;
		if (least && w->column[i] > least)
			w->column[i] -= MIN(total - width, w->column[i] - least);
	}
}

/* False when no column may leave any more. */
static bool drop_column(const struct table *table, struct widths *w)
{
	size_t best = table->columns_count;

	for (size_t i = 0; i < table->columns_count; i++) {
		if (w->column[i] && table->columns[i].drop &&
		    (best == table->columns_count ||
		     table->columns[i].drop > table->columns[best].drop))
			best = i;
	}
	if (best == table->columns_count)
		return false;
	w->column[best] = 0;
	return true;
}

static struct widths fit(const struct table *table, size_t width)
{
	struct widths w = { 0 };

	for (size_t i = 0; i < table->columns_count; i++)
		w.column[i] = natural_width(table, i);
	while (width && total_width(table, &w) > width) {
		struct widths cut = w;

		cut_columns(table, &cut, width);
		if (total_width(table, &cut) <= width)
			return cut;
		if (!drop_column(table, &w))
			return cut;
	}
	return w;
}

/* The first byte of a character: the others are 10xxxxxx. */
static bool is_lead(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

/* The longest end of @text that takes at most @width columns. */
static const char *tail_of(const char *text, size_t width)
{
	while (utf8_width(text) > width) {
		text++;
		while (!is_lead(*text))
			text++;
	}
	return text;
}

/* The bytes of the longest front of @text that takes at most @width columns. */
static size_t front_of(const char *text, size_t width)
{
	_cleanup_free_ char *copy = strdup(text);
	size_t len = strlen(text);

	while (copy && utf8_width(copy) > width) {
		len--;
		while (len && !is_lead(copy[len]))
			len--;
		copy[len] = '\0';
	}
	return copy ? len : 0;
}

/* @text, or what of it fits into @width columns with the sign that some is missing. NULL: no
 * memory. */
static char *cut_text(const struct table_column *column, const char *text, size_t width)
{
	char *cut;
	int r;

	if (utf8_width(text) <= width)
		return strdup(text);
	if (column->cut_front)
		r = asprintf(&cut, "…%s", tail_of(text, width - 1));
	else
		r = asprintf(&cut, "%.*s…", (int)front_of(text, width - 1), text);
	return r < 0 ? NULL : cut;
}

static int write_cell(const struct table_column *column, const char *text, size_t width, bool last,
		      FILE *out)
{
	_cleanup_free_ char *cut = cut_text(column, text, width);
	int fill;

	if (!cut)
		return -ENOMEM;
	/* A wide character may have fitted only by half. */
	fill = (int)(width - utf8_width(cut));
	if (column->align == TABLE_RIGHT)
		fprintf(out, "%*s", fill, "");
	fputs(cut, out);
	if (column->align == TABLE_LEFT && !last)
		fprintf(out, "%*s", fill, "");
	return 0;
}

/* @cells: NULL for the titles. */
static int write_row(const struct table *table, const struct widths *w, char *const *cells,
		     FILE *out)
{
	size_t last = table->columns_count - 1;
	bool first = true;

	/* No blanks at the end of a line. */
	while (last && (!w->column[last] || !*(cells ? cells[last] : table->columns[last].title)))
		last--;
	for (size_t i = 0; i <= last; i++) {
		const char *text = cells ? cells[i] : table->columns[i].title;

		if (!w->column[i])
			continue;
		fprintf(out, "%*s", first ? 0 : GAP, "");
		if (write_cell(&table->columns[i], text, w->column[i], i == last, out))
			return -ENOMEM;
		first = false;
	}
	return 0;
}

int table_write(const struct table *table, FILE *out, size_t indent, size_t width, bool bold_title)
{
	struct widths w = fit(table, width > indent ? width - indent : 0);
	int r;

	errno = 0;
	fprintf(out, "%*s%s", (int)indent, "", bold_title ? "\033[1m" : "");
	r = write_row(table, &w, NULL, out);
	fputs(bold_title ? "\033[0m\n" : "\n", out);
	for (size_t i = 0; !r && i + table->columns_count <= table->cells_count;
	     i += table->columns_count) {
		fprintf(out, "%*s", (int)indent, "");
		r = write_row(table, &w, &table->cells[i], out);
		fputs("\n", out);
	}
	if (!r && ferror(out))
		r = errno ? -errno : -EIO;
	return r;
}
