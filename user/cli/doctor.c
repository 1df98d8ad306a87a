/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/doctor.h"

#include "base/util.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "layout/layout.h"
#include "probe/cost.h"
#include "probe/features.h"
#include "probe/links_trace.h"
#include "probe/plan.h"
#include "target/memory.h"
#include "target/process.h"
#include "target/python.h"
#include "view/table.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/utsname.h>

/* What checks learn from each other, and the answers so far. */
struct patient {
	pid_t pid;
	struct process *proc;
	struct memory *mem;
	struct python *py;
	const struct layout *layout;
	char detail[512]; /* of the check that runs */
};

static void patient_fini(struct patient *p)
{
	python_freep(&p->py);
	memory_freep(&p->mem);
	process_freep(&p->proc);
}

static int check_kernel(struct patient *p, struct error *err)
{
	struct utsname name;

	if (uname(&name))
		return -errno;
	snprintf(p->detail, sizeof(p->detail), "Linux %s, %s", name.release, name.machine);
	if (streq(name.machine, "x86_64"))
		return 0;
	return error_set(err, ENOTSUP, EXIT_UNSUPPORTED, "Linux on %s: only x86_64 is supported",
			 name.machine);
}

static bool has_capability(cap_value_t which)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (caps && cap_get_flag(caps, which, CAP_EFFECTIVE, &value))
		value = CAP_CLEAR;
	cap_free(caps);
	return value == CAP_SET;
}

/* 0 where there is no Yama. Documentation/admin-guide/LSM/Yama.rst */
static int read_ptrace_scope(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	return file && fscanf(file, "%d", &scope) == 1 ? scope : 0;
}

static int check_ptrace(struct patient *p, struct error *err)
{
	int scope = read_ptrace_scope();

	if (has_capability(CAP_SYS_PTRACE)) {
		snprintf(p->detail, sizeof(p->detail), "of every user (CAP_SYS_PTRACE)");
		return 0;
	}
	if (scope == 0) {
		snprintf(p->detail, sizeof(p->detail),
			 "of this user only; run as root for the others");
		return 0;
	}
	return error_set(err, EPERM, EXIT_NO_PERMISSION,
			 "no CAP_SYS_PTRACE, and kernel.yama.ptrace_scope is %d: run as root, or "
			 "set it to 0 with "
			 "sysctl",
			 scope);
}

/* As the tracer takes them. */
static const char *describe_links(enum session_link link)
{
	if (link == SESSION_LINK_MULTI)
		return "uprobe_multi";
	if (!features_get(FEATURE_COOKIE)->works)
		return links_trace_usable()
			       ? "trace events, one for each site, which is known by address"
			       : "perf events, one for each site, which is known by address";
	return links_trace_usable() ? "trace events, one for each site"
				    : "perf events, one for each site";
}

static int check_bpf(struct patient *p, struct error *err)
{
	struct cost cost;
	int r = cost_measure(SESSION_LINK_AUTO, &cost, err);

	if (r)
		return r;
	if (!cost.address_space_filter)
		r = cost_measure(SESSION_LINK_PERF, &cost, err);
	if (r)
		return r;
	snprintf(p->detail, sizeof(p->detail),
		 "an allocation costs the target %.2f us, a free %.2f us (%s)",
		 cost.alloc_ns / 1000, cost.free_ns / 1000, describe_links(cost.link));
	return 0;
}

static int check_process(struct patient *p, struct error *err)
{
	int r = process_open(p->pid, &p->proc, err);

	if (!r)
		snprintf(p->detail, sizeof(p->detail), "%d  %s", p->pid, p->proc->cmdline);
	return r;
}

static int check_python(struct patient *p, struct error *err)
{
	int r = memory_live_new(p->pid, &p->mem);

	if (r == -EPERM || r == -EACCES)
		return process_no_permission(p->proc, "read the memory of", err);
	if (!r)
		r = python_find(p->proc, p->mem, &p->py, err);
	if (!r)
		snprintf(p->detail, sizeof(p->detail), "%s (from %s), %s%s%s%s, %s", p->py->version,
			 python_evidence_name(p->py->evidence),
			 p->py->is_static ? "static" : "shared",
			 p->py->stripped ? ", stripped" : "", p->py->debug ? ", debug" : "",
			 p->py->free_threaded ? ", free-threaded" : "", p->py->path);
	return r;
}

static int check_layout(struct patient *p, struct error *err)
{
	int r;

	p->layout = layout_find(p->py, err);
	if (!p->layout)
		return -ENOTSUP;
	r = layout_check(p->layout, p->py, p->mem, err);
	if (!r)
		snprintf(p->detail, sizeof(p->detail), "table %s, from %s", p->layout->name,
			 p->layout->source);
	return r;
}

static void describe_plan(const struct plan *plan, char *buf, size_t cap)
{
	size_t used = 0, rejected = 0, stepped = 0;

	for (size_t i = 0; i < plan->sites.count; i++) {
		const struct site *site = &plan->sites.list[i];

		used += !site->rejected;
		rejected += !!site->rejected;
		stepped += !site->rejected && !site->emulated;
	}
	snprintf(buf, cap,
		 "%zu sites, %zu of them slow (single-stepped), %zu more cannot be used; allocator "
		 "%s",
		 used, stepped, rejected, allocator_kind_name(plan->allocator.kind));
}

static int check_probes(struct patient *p, struct error *err)
{
	const struct plan_source source = { p->proc, p->py, p->layout, p->mem };
	_cleanup_plan_ struct plan *plan = NULL;
	int r = plan_new(&source, &plan, err);

	if (!r)
		describe_plan(plan, p->detail, sizeof(p->detail));
	return r;
}

struct check {
	const char *name;
	int (*run)(struct patient *p, struct error *err);
	bool target; /* about the process: each needs the ones before it */
};

static const struct check checks[] = {
	{ "kernel", check_kernel, false },     { "read processes", check_ptrace, false },
	{ "BPF probes", check_bpf, false },    { "process", check_process, true },
	{ "Python", check_python, true },      { "memory layout", check_layout, true },
	{ "probe sites", check_probes, true },
};

static int add_line(struct table *table, const char *name, const char *answer, const char *detail)
{
	if (table_add(table, name) || table_add(table, answer) || table_add(table, detail))
		return -ENOMEM;
	return 0;
}

/* One line of the table. @first: what the first "no" says. */
static int run_check(const struct check *check, struct patient *p, struct table *table,
		     struct error *first)
{
	struct error why = { 0 };
	int r;

	p->detail[0] = '\0';
	r = check->run(p, &why);
	if (r == -ENOMEM)
		return r;
	if (!r)
		return add_line(table, check->name, "yes", p->detail);
	if (!error_is_set(&why))
		error_set(&why, -r, EXIT_INTERNAL, "cannot check %s: %s", check->name,
			  strerror(-r));
	if (!error_is_set(first))
		*first = why;
	r = add_line(table, check->name, "no", why.text);
	return r ? r : 1;
}

static int run_checks(struct patient *p, struct table *table, struct error *first)
{
	bool lost = false; /* a check of the target failed: the next ones have nothing to look at */

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		int r;

		if (checks[i].target && !p->pid)
			continue;
		r = checks[i].target && lost ? add_line(table, checks[i].name, "-", "not looked at")
					     : run_check(&checks[i], p, table, first);
		if (r < 0)
			return r;
		lost |= checks[i].target && r;
	}
	return 0;
}

int doctor_run(const struct options_usage *usage, const struct options *opts, struct error *err)
{
	static const struct table_column columns[] = {
		{ .title = "CHECK" },
		{ .title = "OK" },
		{ .title = "DETAIL" },
	};
	cleanup(patient_fini) struct patient p = { .pid = opts->pid };
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));
	_cleanup_output_ struct output out = { 0 };
	struct error first = { 0 };
	int r = table ? run_checks(&p, table, &first) : -ENOMEM;

	if (!r)
		r = output_open(&out, NULL, false, err);
	if (r)
		return r;
	r = table_write(table, out.stream, 0, 0, options_colour(opts, out.stream));
	if (!r)
		r = output_commit(&out, err);
	else
		r = output_failed(&out, r, err);
	if (r || !error_is_set(&first))
		return r;
	*err = first;
	return -ENOTSUP;
}
