/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/advise_command.h"

#include "advise/advise.h"
#include "advise/suspects.h"
#include "base/util.h"
#include "cli/files.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "model/observer.h"
#include "view/advice.h"

#include <errno.h>

static int check_usage(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	if (!opts->pid && !opts->files_count)
		return options_error(usage, err,
				     "about what? give a PID, a snapshot or a recording");
	if (opts->pid && opts->files_count)
		return options_error(usage, err, "a PID or a file, not both");
	if (opts->values && !opts->pid)
		return options_error(usage, err,
				     "--values needs a live process: files hold no values");
	if (opts->ceiling_bytes && opts->pid)
		return options_error(usage, err, "--ceiling is for a recording");
	if (opts->force && !opts->output)
		return options_error(usage, err, "--force is for --output FILE");
	return 0;
}

static int look(const struct options *opts, struct picture **ret, struct error *err)
{
	const struct observer_options how = {
		.full_cmdline = opts->full_cmdline,
		.duplicates = true,
		.values = opts->values,
		.thorough = opts->all,
	};
	const struct advise_options advise = { .all = opts->all };
	_cleanup_observer_ struct observer *obs = NULL;
	_cleanup_picture_ struct picture *pic = NULL;
	int r = observer_open(opts->pid, &how, &obs, err);

	if (r)
		return r;
	progress_begin("reading the heap; Ctrl-C stops");
	r = observer_take(obs, interrupt_flag(), &pic, err);
	progress_end();
	if (!r)
		r = advise_picture(pic, &advise);
	if (!r)
		*ret = TAKE_PTR(pic);
	return r;
}

static int add_suspects(void *ctx, const struct picture *pic)
{
	return suspects_add(ctx, pic);
}

/* *ret_list is filled where the file is a recording. */
static int read_file(const struct options *opts, struct picture **ret,
		     struct suspects_list *ret_list, bool *is_recording, struct error *err)
{
	_cleanup_suspects_ struct suspects *suspects = suspects_new();
	_cleanup_picture_ struct picture *first = NULL;
	int r = suspects ? files_read(opts->files[0], add_suspects, suspects, &first, ret, err)
			 : -ENOMEM;

	*is_recording = first;
	return r || !first ? r : suspects_find(suspects, opts->ceiling_bytes, ret_list);
}

static int write_advice(const struct picture *pic, const struct suspects_list *suspects,
			const struct options *opts, struct error *err)
{
	bool json = opts->format == OPTIONS_FORMAT_JSON;
	_cleanup_output_ struct output out = { 0 };
	struct advice_options how = {
		.filter = opts->has_filter ? &opts->filter : NULL,
		.limit = opts->has_limit ? opts->limit : 0,
	};
	int r = output_open(&out, opts->output, opts->force, err);

	if (r)
		return r;
	how.text = options_text(opts, out.stream);
	r = json ? advice_write_json(out.stream, pic, suspects, &how)
		 : advice_write_text(out.stream, pic, suspects, &how);
	return r ? output_failed(&out, r, err) : output_commit(&out, err);
}

int advise_command_run(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	cleanup(suspects_list_fini) struct suspects_list suspects = { 0 };
	_cleanup_picture_ struct picture *pic = NULL;
	bool is_recording = false;
	int r = check_usage(usage, opts, err);

	if (!r)
		r = output_check(opts->output, opts->force, err);
	if (!r)
		r = opts->pid ? look(opts, &pic, err)
			      : read_file(opts, &pic, &suspects, &is_recording, err);
	if (!r)
		r = write_advice(pic, is_recording ? &suspects : NULL, opts, err);
	if (r)
		return r;
	return pic->partial_reasons_count ? EXIT_PARTIAL : EXIT_OK;
}
