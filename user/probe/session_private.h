/* SPDX-License-Identifier: BSD-2-Clause */
/* What session.c and its parts share. */
#pragma once

#include "probe/links.h"
#include "probe/session.h"

#include "events.skel.h"

/* A place that another tool holds with a reference counter of its own (as USDT probes have) is
 * refused to us: kernel/events/uprobes.c, alloc_uprobe(), -EINVAL. */
enum refusal { SITE_GRANTED, SITE_MOVED, SITE_LEFT_OUT };

struct session {
	const struct plan *plan;
	struct session_options options;
	struct events *bpf;
	struct ring ring;
	struct links *links;
	bool attached, has_growth;
	bool is_divided, has_kept; /* what is cold may stay; it did, as far as we know */
	bool cold[SITES_MAX];
	bool is_renewed; /* a pymemtop-links before this one was killed: what it left is swept up */
	uint64_t alive_ns; /* when pymemtop-links was last seen alive */
	uint8_t refusals[SITES_MAX];
	uint64_t attach_ns, detach_ns, windows;
};

static inline struct events_lease *session_lease(const struct session *session)
{
	return &session->bpf->bss->lease;
}

/* Is there to be a probe at site @index of the plan? */
bool session_is_used(const struct session *session, size_t index);

/* Do the cold sites keep their probes when the open window ends? */
bool session_keeps(const struct session *session);

/* Over all sites. */
uint64_t session_hits(const struct session *session);
