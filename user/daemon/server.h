/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Unix socket. Anybody may connect; what they see is decided by who they are, at each answer. A
 * client has one request at a time, bounded in size; it is cut off when it does not read, or says
 * nothing.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/keeper.h"

#define SERVER_CLIENTS_MAX 128
/* Of one user other than root. */
#define SERVER_CLIENTS_PER_USER 32

struct server;

/*
 * Listens on @path, whose folder is made where only that is missing; a socket that nobody serves
 * any more is replaced. Needs the rights of the start. -EADDRINUSE where a daemon serves it
 * (EXIT_USAGE), -EACCES ...
 */
int server_listen(const char *path, int *ret_fd, struct error *err);

/* Serves @keeper on @fd, which it owns from here on, also after a failure. */
int server_new(struct event_base *base, struct keeper *keeper, int fd, struct server **ret);

/* To be called some times a second: sends what is due, cuts off who is too slow. */
void server_tick(struct server *server);

/* Before keeper_free(). */
void server_free(struct server *server);
