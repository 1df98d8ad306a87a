/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/report_command.h"

#include "advise/suspects.h"
#include "base/util.h"
#include "cli/files.h"
#include "cli/output.h"
#include "view/report.h"

#include <errno.h>

struct reporting {
	struct suspects *suspects;
	struct report_growth *growth;
	size_t lines; /* of the whole file, from the first pass */
	size_t line;  /* in the second pass */
	uint64_t begin_ns;
};

static void reporting_fini(struct reporting *rep)
{
	suspects_freep(&rep->suspects);
	free(rep->growth);
}

static int first_pass(void *ctx, const struct picture *pic)
{
	struct reporting *rep = ctx;

	if (!rep->lines++)
		rep->begin_ns = pic->taken_at_unix_ns;
	return suspects_add(rep->suspects, pic);
}

/* Lines are thinned out evenly; the last one always stays. */
static bool is_wanted(const struct reporting *rep)
{
	size_t step = (rep->lines + REPORT_POINTS_MAX - 2) / (REPORT_POINTS_MAX - 1);

	return rep->line % MAX(step, (size_t)1) == 0 || rep->line + 1 == rep->lines;
}

static int second_pass(void *ctx, const struct picture *pic)
{
	struct reporting *rep = ctx;
	struct report_growth *g = rep->growth;
	size_t at = g->points_count;

	if (is_wanted(rep) && at < REPORT_POINTS_MAX) {
		uint64_t taken = MAX(pic->taken_at_unix_ns, rep->begin_ns);

		g->seconds[at] = (double)(taken - rep->begin_ns) / 1e9;
		g->rss_bytes[at] = pic->memory.rss_bytes;
		g->python_bytes[at] = pic->memory.python_inuse_bytes;
		for (size_t i = 0; i < g->series_count; i++) {
			const struct picture_type *type = picture_find_type(pic, g->names[i]);

			g->bytes[i][at] = type ? type->inuse_bytes : 0;
		}
		g->points_count++;
	}
	rep->line++;
	return 0;
}

static void add_series(struct report_growth *g, const char *name, size_t most)
{
	for (size_t i = 0; i < g->series_count; i++)
		if (streq(g->names[i], name))
			return;
	if (g->series_count < most)
		g->names[g->series_count++] = name;
}

/* The first suspects, and the types that are largest in the end. */
static int read_growth(struct reporting *rep, const char *path, const struct picture *last,
		       const struct suspects_list *suspects, struct error *err)
{
	struct report_growth *g = calloc(1, sizeof(*g));

	if (!g)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	rep->growth = g;
	g->lines = rep->lines;
	for (size_t i = 0; i < suspects->count; i++)
		add_series(g, suspects->rows[i].type, REPORT_SERIES_MAX / 2);
	for (size_t i = 0; i < last->types_count; i++)
		add_series(g, last->types[i].name, REPORT_SERIES_MAX);
	return files_read(path, second_pass, rep, NULL, NULL, err);
}

static int check_usage(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	if (!opts->files_count)
		return options_error(usage, err, "of what? give a snapshot or a recording");
	if (!opts->output)
		return options_error(usage, err,
				     "where to? add -o report.html, or -o - for stdout");
	if (streq(opts->files[0], "-"))
		return options_error(usage, err,
				     "a report reads its file twice, which stdin cannot do");
	return output_check(opts->output, opts->force, err);
}

int report_command_run(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	cleanup(suspects_list_fini) struct suspects_list suspects = { 0 };
	cleanup(reporting_fini) struct reporting rep = { .suspects = suspects_new() };
	_cleanup_picture_ struct picture *first = NULL, *last = NULL;
	_cleanup_output_ struct output out = { 0 };
	int r = check_usage(usage, opts, err);

	if (!r && !rep.suspects)
		r = -ENOMEM;
	if (!r)
		r = files_read(opts->files[0], first_pass, &rep, &first, &last, err);
	if (!r && first)
		r = suspects_find(rep.suspects, 0, &suspects);
	if (!r && first)
		r = read_growth(&rep, opts->files[0], last, &suspects, err);
	if (!r)
		r = output_open(&out, opts->output, opts->force, err);
	if (r)
		return r;
	r = report_write(out.stream, last, rep.growth, first ? &suspects : NULL);
	r = r ? output_failed(&out, r, err) : output_commit(&out, err);
	if (r)
		return r;
	return last->partial_reasons_count ? EXIT_PARTIAL : EXIT_OK;
}
