/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ctrl-C (SIGINT, SIGTERM, SIGHUP) as a flag: the first ends what is going on in good order, a
 * second one gives up. System calls that block return EINTR.
 */
#pragma once

#include <stdbool.h>

/* From here on signals set the flag. SIGPIPE is ignored: writes give EPIPE. */
void interrupt_install(void);

/* True since a signal came, until interrupt_clear(); for the observer's `stop`. */
const volatile bool *interrupt_flag(void);
void interrupt_clear(void);

/* Signals so far. */
unsigned int interrupt_count(void);

/*
 * Has one come that no thread could take yet, since the one that takes them is in a call that does
 * not end? For a thread that has all blocked.
 */
bool interrupt_waits(void);

/* Dies of the signal that came, as a shell expects of an interrupted program. */
void interrupt_die(void) __attribute__((noreturn));
