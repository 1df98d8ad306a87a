/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process pymemtop-links: a child of ours that runs no other program, in a session of its own,
 * so that neither Ctrl-C nor a signal to our group reaches it, with all signals blocked that can
 * be, with no descriptor of ours but a socket, and with priority where that is allowed. It ends
 * when we do, after it has detached what there is.
 */
#pragma once

/*
 * Starts it where it does not run; any thread may. It inherits our rights as of now, and what
 * memory is in use is shared with it: early is best. Returns the socket for hellos
 * (links_wire.h), not owned by the caller, or negative errno.
 */
int links_process_start(void);

/* The process behind @control has ended: the next start makes a new one. */
void links_process_lost(int control);

/* Where somebody has stopped it: it goes on. */
void links_process_wake(void);

/* Lets it end, and waits until it has, 2 s at most: it ends without us all the same. */
void links_process_stop(void);
