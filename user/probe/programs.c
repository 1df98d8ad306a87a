/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/programs.h"

#include "base/util.h"

#include "events.skel.h"

#include <errno.h>
#include <sys/mman.h>

int programs_open(enum session_link link, size_t records, struct events **ret)
{
	struct events *programs;
	struct bpf_program *prog;

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
	*ret = programs;
	return 0;
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
