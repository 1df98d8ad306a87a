/* SPDX-License-Identifier: BSD-2-Clause */
/* A Python of our own to plan for: started, waited for, ended. Needs no rights but that of a
 * parent. */
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layout/layout.h"
#include "probe/plan.h"
#include "target/memory.h"
#include "target/process.h"
#include "target/python.h"

struct probe_target {
	pid_t pid;
	int in, out; /* its stdin and stdout */
	struct process *proc;
	struct memory *mem;
	struct python *py;
	const struct layout *layout;
};

/* Each line on stdin makes 1000 lists that stay, and is answered by one byte. */
#define PROBE_TARGET_PROGRAM                                                                       \
	"import os\nkeep = []\nos.write(1, b'r')\n"                                                \
	"while os.read(0, 1): keep.append([[] for i in range(1000)]); os.write(1, b'd')\n"

static void probe_target_stop(struct probe_target *t)
{
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
		close(t->in);
		close(t->out);
	}
	python_freep(&t->py);
	memory_freep(&t->mem);
	process_freep(&t->proc);
	*t = (struct probe_target){ 0 };
}

/* @allocator: for PYTHONMALLOC, or NULL. False: there is no python3 here, or none that we have a
 * layout for. */
static bool probe_target_start(struct probe_target *t, const char *allocator)
{
	int in[2], out[2];
	char ready;

	*t = (struct probe_target){ 0 };
	if (pipe(in) || pipe(out))
		return false;
	t->pid = fork();
	if (t->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		unsetenv("PYTHONMALLOC");
		if (allocator)
			setenv("PYTHONMALLOC", allocator, 1);
		execl("/usr/bin/python3", "python3", "-S", "-c", PROBE_TARGET_PROGRAM, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	t->in = in[1];
	t->out = out[0];
	if (read(t->out, &ready, 1) == 1 && !process_open(t->pid, &t->proc, NULL) &&
	    !memory_live_new(t->pid, &t->mem) && !python_find(t->proc, t->mem, &t->py, NULL) &&
	    (t->layout = layout_find(t->py, NULL)))
		return true;
	probe_target_stop(t);
	return false;
}

static inline bool probe_target_work(struct probe_target *t)
{
	char done;

	return write(t->in, "w", 1) == 1 && read(t->out, &done, 1) == 1;
}

static inline int probe_target_plan(struct probe_target *t, struct plan **ret, struct error *err)
{
	return plan_new(&(struct plan_source){ t->proc, t->py, t->layout, t->mem }, ret, err);
}
