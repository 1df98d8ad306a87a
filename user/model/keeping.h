/* SPDX-License-Identifier: BSD-2-Clause */
/* Which probes stay between the windows of a budget, as the target goes on. Private to model/. */
#pragma once

#include "model/spending.h"
#include "probe/heat.h"
#include "probe/session.h"

struct keeping {
	struct heat heat;
	struct events_moment last; /* up to which hits between windows have been looked at */
	bool has_kept;		   /* as last seen */
	int windows;		   /* since when it is looked for what is cold */
	int surprises;		   /* times that what had stayed was hit often */
	bool can_keep;
};

/* After spending_limit(). @can_keep: not all kernels can leave some of them. */
void keeping_init(struct keeping *keeping, struct spending *spending, size_t sites, bool can_keep);

/* Sites @first to @first + @count have just been looked at: session_look(). */
void keeping_looked(struct keeping *keeping, const struct session *session, size_t first,
		    size_t count);

/* The open window is about to be closed: its hits say who may stay. What fails, fails when the next
 * is opened. */
void keeping_closing(struct keeping *keeping, struct spending *spending, struct session *session);

/* And it has been. */
void keeping_closed(struct keeping *keeping, const struct session *session);

/* Between windows, often: where they have become hot in the meantime all go. */
void keeping_step(struct keeping *keeping, struct spending *spending, struct session *session);

/* A child was forked, which has their breakpoints too. */
void keeping_forked(struct keeping *keeping, struct spending *spending, struct session *session);
