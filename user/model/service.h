/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process, or a process and its descendants as one: the workers of a pre-forking server. Workers
 * that come later join, those that end leave.
 */
#pragma once

#include "model/feed.h"
#include "model/observer.h"

#include <sys/types.h>

/* Workers beyond are left out, and the picture says so. */
#define SERVICE_MEMBERS_MAX 64

/* What is done to each process's picture before it is given out or added up (advice, from a layer
 * above); may be NULL. 0 or negative errno. */
typedef int service_finish_fn(struct picture *pic);

struct service_options {
	struct observer_options observer;
	service_finish_fn *finish;
	bool subprocesses; /* its descendants too: those of them that are Pythons we support */
};

/*
 * Opens @pid as observer_open() does. With subprocesses it need not be a Python itself. Close with
 * feed_closep().
 */
int service_open(pid_t pid, const struct service_options *opts, struct feed **ret,
		 struct error *err);
