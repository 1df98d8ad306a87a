/* SPDX-License-Identifier: BSD-2-Clause */
/* What pymemtop-links does: it holds links for pymemtop, and lets go of them when it does not hear
 * of it. Private to probe/. */
#pragma once

/*
 * Serves whoever says hello on @control, each by a thread of its own, until the other end is
 * closed and everything is detached. Takes the descriptor.
 */
void links_hold_serve(int control);
