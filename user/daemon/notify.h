/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells the service manager how we are: the protocol of sd_notify(3). */
#pragma once

/*
 * Sends @state, "READY=1" and the like, to $NOTIFY_SOCKET. 0, also where nobody asked to be told;
 * -EINVAL for an address that is none, else what the socket says.
 */
int notify_send(const char *state);
