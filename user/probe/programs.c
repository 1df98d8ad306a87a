/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/programs.h"

#include "base/util.h"
#include "probe/kernel.h"

#include "events.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#define PLACES_MAX (4 * SITES_MAX) /* sites, their spares, and where they are checked */

/*
 * Where the kernel has no addition that tells what was there before, it does not take a program
 * that has one, even where that is never reached (v5.10 kernel/bpf/verifier.c,
 * resolve_pseudo_ldimm64()). has_fetch keeps it from being reached; here it becomes one without.
 */
static int drop_fetches(struct bpf_program *prog)
{
	size_t count = bpf_program__insn_cnt(prog);
	_cleanup_free_ struct bpf_insn *insns = reallocarray(NULL, count, sizeof(*insns));

	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), count * sizeof(*insns));
	for (size_t i = 0; i < count; i++) {
		if (insns[i].code == (BPF_STX | BPF_ATOMIC | BPF_DW) &&
		    insns[i].imm == (BPF_ADD | BPF_FETCH))
			insns[i].imm = BPF_ADD;
	}
	return bpf_program__set_insns(prog, insns, count);
}

int programs_suit(struct bpf_object *object, volatile bool *has_cookie, volatile bool *has_fetch)
{
	struct bpf_program *prog;
	int r = 0;

	*has_cookie = kernel_has(KERNEL_COOKIE);
	*has_fetch = kernel_has(KERNEL_FETCH);
	if (!*has_cookie)
		r = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "places"),
					     PLACES_MAX);
	if (*has_fetch)
		return r;
	bpf_object__for_each_program(prog, object) if (!r) r = drop_fetches(prog);
	return r;
}

int programs_open(enum session_link link, size_t records, struct events **ret)
{
	struct events *programs;
	struct bpf_program *prog;
	int r;

	if (records <= RING_SLACK || records & (records - 1) || records > UINT32_MAX)
		return -EINVAL;
	programs = events__open();
	if (!programs)
		return -errno;
	programs->rodata->ring_mask = (uint32_t)records - 1;
	bpf_map__set_max_entries(programs->maps.ring, (uint32_t)records);
	if (link == SESSION_LINK_MULTI)
		bpf_object__for_each_program(prog, programs->obj)
			bpf_program__set_expected_attach_type(
				prog, (enum bpf_attach_type)LINKS_UPROBE_MULTI);
	r = programs_suit(programs->obj, &programs->rodata->has_cookie,
			  &programs->rodata->has_fetch);
	if (r) {
		events__destroy(programs);
		return r;
	}
	*ret = programs;
	return 0;
}

int programs_place(struct events *programs, uint64_t address, struct site_cookie cookie)
{
	uint64_t word = ((union site_word){ .c = cookie }).word;

	if (programs->rodata->has_cookie || cookie.role == SITE_EMPTY)
		return 0;
	if (cookie.role == SITE_FRESH || cookie.role == SITE_OPENING)
		programs->bss->fresh_cookie = cookie.role == SITE_FRESH ? word : 0;
	if (cookie.role == SITE_LIBC_REALLOC_END)
		programs->bss->return_cookie = word;
	if (cookie.role == SITE_FRESH || cookie.role == SITE_LIBC_REALLOC_END)
		return 0;
	return bpf_map_update_elem(bpf_map__fd(programs->maps.places), &address, &word, BPF_ANY)
		       ? -errno
		       : 0;
}

static size_t ring_bytes(size_t records)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (records * sizeof(struct event) + page - 1) / page * page;
}

int programs_load(struct events *programs, struct ring *ret)
{
	size_t records = bpf_map__max_entries(programs->maps.ring);
	void *places;
	int r = events__load(programs);

	if (r)
		return r;
	places = mmap(NULL, ring_bytes(records), PROT_READ, MAP_SHARED,
		      bpf_map__fd(programs->maps.ring), 0);
	if (places == MAP_FAILED)
		return -errno;
	/* pymemtop-links, when it is started, has no use for it. */
	madvise(places, ring_bytes(records), MADV_DONTFORK);
	*ret = (struct ring){ .places = places,
			      .count = records,
			      .produced = (const uint64_t *)&programs->bss->produced,
			      .consumed = (uint64_t *)&programs->bss->consumed };
	return 0;
}

void programs_free(struct events *programs, struct ring *ring)
{
	if (ring->places)
		munmap((void *)ring->places, ring_bytes(ring->count));
	*ring = (struct ring){ 0 };
	events__destroy(programs);
}

int programs_links(const struct events *programs, enum session_link link, struct links **ret)
{
	const struct links_options options = {
		.programs = {
			[LINKS_ON_SITE] = bpf_program__fd(programs->progs.on_site),
			[LINKS_ON_FRESH] = bpf_program__fd(programs->progs.on_fresh),
			[LINKS_ON_RETURN] = bpf_program__fd(programs->progs.on_return),
			[LINKS_ON_EMPTY] = bpf_program__fd(programs->progs.on_empty),
		},
		.shared = bpf_map__fd(programs->maps.bss),
		.is_perf = link == SESSION_LINK_PERF,
	};

	return links_new(&options, ret);
}
