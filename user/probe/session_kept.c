/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/session_private.h"

#include <errno.h>
#include <string.h>

bool session_is_used(const struct session *session, size_t index)
{
	const struct site *site = &session->plan->sites.list[index];

	return !site->rejected && (site->role != SITE_REALLOC || session->plan->realloc.vaddr) &&
	       session->refusals[index] != SITE_LEFT_OUT;
}

bool session_has_kept(const struct session *session)
{
	return session->has_kept &&
	       !__atomic_load_n(&session_lease(session)->kept_ended, __ATOMIC_SEQ_CST) &&
	       links_is_alive(session->links);
}

bool session_did_keep(const struct session *session)
{
	return session->has_kept;
}

bool session_keeps(const struct session *session)
{
	return __atomic_load_n(&session_lease(session)->keep, __ATOMIC_SEQ_CST);
}

int session_drop_kept(struct session *session)
{
	int r = session->has_kept ? links_clear(session->links, LINKS_WINDOW) : 0;

	__atomic_store_n(&session_lease(session)->keep, 0, __ATOMIC_SEQ_CST);
	session->has_kept = false;
	return r == -EPIPE ? 0 : r;
}

int session_divide(struct session *session, const bool *cold, uint64_t most)
{
	if (session->options.link != SESSION_LINK_MULTI)
		return 0;
	memcpy(session->cold, cold, session->plan->sites.count * sizeof(*cold));
	session->is_divided = memchr(cold, true, session->plan->sites.count * sizeof(*cold));
	__atomic_store_n(&session_lease(session)->keep, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&session_lease(session)->kept_most, most, __ATOMIC_SEQ_CST);
	return session->attached ? 0 : session_drop_kept(session);
}

struct session_turns session_turns(const struct session *session)
{
	bool keeps = session->attached ? session_keeps(session) : session->is_divided;
	bool has_kept = session->attached ? keeps : session_has_kept(session);
	size_t hot = session->plan->realloc.vaddr ? 2 : 0, cold = 0;

	for (size_t i = 0; i < session->plan->sites.count; i++) {
		hot += session_is_used(session, i) && !session->cold[i];
		cold += session_is_used(session, i) && session->cold[i];
	}
	return (struct session_turns){ .open = has_kept ? hot : hot + cold,
				       .close = keeps ? hot : hot + cold };
}
