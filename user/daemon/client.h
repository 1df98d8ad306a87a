/* SPDX-License-Identifier: BSD-2-Clause */
/* The other end of the Unix socket, for commands that would rather ask a daemon than attach by
 * themselves. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "model/picture.h"

#include <stdbool.h>
#include <stdint.h>

struct client;

/*
 * Connects to the daemon at @path. -ENOENT where there is none (no socket, nobody listens, not
 * allowed); -EPROTO with
 * @err for a daemon that speaks another version.
 */
int client_open(const char *path, struct client **ret, struct error *err);
void client_close(struct client *client);
DEFINE_CLEANUP(struct client, client_close)
#define _cleanup_client_ cleanup(client_closep)

/*
 * A fresh picture of @pid. -ESRCH where the daemon serves no such process to us (@err says so),
 * -EINTR when *stop (may be NULL) became true, -EPIPE when the daemon has gone, else what it
 * answered.
 */
int client_take(struct client *client, pid_t pid, const volatile bool *stop, struct picture **ret,
		struct error *err);
