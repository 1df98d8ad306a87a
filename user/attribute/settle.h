/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a census of a target that goes on meanwhile gets out of step, put right when it is summed: a
 * dict that was made after its own pool was read, but met through its instance, moves from dict's
 * row what that never had; a buffer that goes from one owner to another may be claimed by both.
 */
#pragma once

#include "attribute/heap.h"

/*
 * Books what was not booked one by one because the type says it all, and leaves no number of @tally
 * below 0. Returns the bytes that were missing for that in all parts together: others have them too
 * much (see settle_rows()).
 */
int64_t settle_tally(struct tally *tally);

/* Leaves no owner of dicts with less than none. @by_owner: TALLY_DICT_OWNERS of them, whose sum
 * stays as it is. */
void settle_owners(struct tally_dicts *by_owner);

/*
 * Takes from rows of @heap what they were given too much, and from heap->python_bytes with it:
 * @dicts bytes as parts of dicts, and @buffers as buffers. Those with most give it back; that is
 * little, for most of what is found has its one owner. 0; -ENOMEM.
 */
int settle_rows(struct heap *heap, int64_t dicts, int64_t buffers);
