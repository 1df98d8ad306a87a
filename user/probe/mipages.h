/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where free-threaded builds allocate and free: mimalloc's own code, wherever a compiler has copied
 * it to (Objects/mimalloc/alloc.c, the same from 3.13 to 3.15). See sites.h.
 *
 * Records keep their order there without a GIL: a block is recorded before it leaves its page, and
 * its free before it is put on any list, so that whoever gets it next comes later.
 */
#pragma once

#include "layout/layout.h"
#include "probe/code.h"
#include "probe/sites.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * All branches on `page->free == NULL` behind which the first block of the list is taken
 * (_mi_page_malloc): SITE_PAGE, once for each block, whatever its size.
 */
int mipages_find_blocks(struct code *code, const struct layout *layout, struct sites *sites);

/*
 * All branches on `segment->thread_id == this thread`, with the segment from the address of a block
 * (mi_free): SITE_FREE, once for each.
 */
int mipages_find_frees(struct code *code, const struct layout *layout, struct sites *sites);

/* Does the function at @entry, or one that it calls, have a site of @role that can be probed? */
bool mipages_reach(struct code *code, const struct sites *sites, uint64_t entry,
		   enum site_role role);
