/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/places.h"

#include "base/util.h"
#include "probe/kernel.h"
#include "probe/programs.h"

struct site_cookie places_cookie(const struct site *site, size_t index)
{
	return (struct site_cookie){ .site = (uint16_t)index,
				     .role = (uint8_t)site->role,
				     .reg = site->reg,
				     .size_reg = site->size_reg,
				     .flags = site->flags,
				     .disp = site->disp };
}

struct site_cookie places_check_cookie(const struct site *site)
{
	return (struct site_cookie){ .site = SITES_MAX - 1,
				     .role = SITE_CHECK,
				     .reg = site->check_reg,
				     .flags = site->role == SITE_BLOCK ? SITE_FIRST : 0 };
}

struct site_cookie places_realloc_cookie(bool is_return)
{
	return (struct site_cookie){ .site = SITES_MAX - 3,
				     .role = is_return ? SITE_LIBC_REALLOC_END : SITE_LIBC_REALLOC,
				     .reg = SITE_NO_REG };
}

static int tell_site(const struct session *session, size_t index)
{
	const struct site *site = &session->plan->sites.list[index];
	const struct {
		uint64_t vaddr;
		struct site_cookie cookie;
	} places[] = {
		{ site->vaddr, places_cookie(site, index) },
		{ site->spare, places_cookie(site, index) },
		{ session->options.self_check ? site->check_vaddr : 0, places_check_cookie(site) },
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(places) && !site->rejected; i++)
		if (places[i].vaddr)
			r = programs_place(session->bpf, places[i].vaddr + session->plan->bias,
					   places[i].cookie);
	return r;
}

int places_tell(const struct session *session)
{
	const struct plan *plan = session->plan;
	int r = 0;

	if (kernel_has(KERNEL_COOKIE))
		return 0;
	for (size_t i = 0; !r && i < plan->sites.count; i++)
		r = tell_site(session, i);
	for (size_t i = 0; !r && i < plan->fresh.count; i++)
		r = programs_place(session->bpf, plan->fresh.list[i].vaddr + plan->bias,
				   places_cookie(&plan->fresh.list[i], SITE_INDEX_FRESH));
	for (int is_return = 0; !r && is_return < 2 && plan->realloc.vaddr; is_return++)
		r = programs_place(session->bpf, plan->realloc.vaddr + plan->libc_bias,
				   places_realloc_cookie(is_return));
	return r;
}
