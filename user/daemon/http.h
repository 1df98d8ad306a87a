/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics over HTTP: GET /metrics and GET /healthz, nothing else. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/keeper.h"

#include <sys/socket.h>

#define HTTP_LISTEN "127.0.0.1:9748"
#define HTTP_CONNECTIONS_MAX 32

struct http_address {
	struct sockaddr_storage addr;
	socklen_t len;
	bool off;
};

/* "127.0.0.1:9748", "[::1]:9748", ":9748" (every address), or "off". 0 or -EINVAL. */
int http_parse_address(const char *text, struct http_address *ret);

/* A socket that listens at @address. Negative errno with @err. */
int http_listen(const struct http_address *address, int *ret_fd, struct error *err);

struct http;

/* Serves @keeper on @fd, which it owns from here on, also after a failure. */
int http_new(struct event_base *base, struct keeper *keeper, int fd, struct http **ret);

/* To be called some times a second: ends connections that take too long. */
void http_tick(struct http *http);
void http_free(struct http *http);
