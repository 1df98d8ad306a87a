/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of the Unix socket, schema pymemtop.daemon/1 (docs/daemon.md): one JSON request a line,
 * one line for each answer.
 */
#pragma once

#include "base/error.h"
#include "view/openmetrics.h"
#include "view/rows.h"

#include <stddef.h>
#include <sys/types.h>

#define PROTOCOL_VERSION 1
#define PROTOCOL_SOCKET "/run/pymemtop/pymemtop.sock"
/* A longer request is refused. */
#define PROTOCOL_REQUEST_MAX 4096
#define PROTOCOL_INTERVAL_LEAST_MS 250

enum protocol_op {
	PROTOCOL_HELLO,
	PROTOCOL_LIST,
	PROTOCOL_SNAPSHOT,
	PROTOCOL_SUBSCRIBE,
	PROTOCOL_UNSUBSCRIBE,
	PROTOCOL_METRICS,
	PROTOCOL_OPS_COUNT,
};

extern const char *const protocol_op_names[PROTOCOL_OPS_COUNT];

struct protocol_request {
	enum protocol_op op;
	pid_t pid;		     /* snapshot, subscribe */
	unsigned int interval_ms;    /* subscribe; 0: none given */
	size_t limit;		     /* types; 0: all */
	const struct rows_key *sort; /* NULL: by bytes */
	enum openmetrics_format format;
};

/*
 * Parses one line (without its newline), which anybody may have sent. -EBADMSG with @err; *ret is
 * untouched then. Members that this version does not know are passed over.
 */
int protocol_parse(const char *line, size_t len, struct protocol_request *ret, struct error *err);

/* One process in the answer to `list`. Unknown: PICTURE_UNKNOWN, NULL. */
struct protocol_process {
	pid_t pid;
	uid_t uid;
	const char *service, *pod, *container, *version, *cmdline;
	bool up;
	const char *error, *events_error;
	int64_t rss_bytes, inuse_bytes;
	uint64_t taken_at_unix_ns; /* 0: never */
};

/* Lines with their newline, owned by the caller; NULL when out of memory. */
char *protocol_hello(size_t up, size_t down);
char *protocol_list(const struct protocol_process *list, size_t count);
char *protocol_metrics(const char *text, enum openmetrics_format format);
/* @op: PROTOCOL_OPS_COUNT where the request was not understood. */
char *protocol_error(enum protocol_op op, const struct error *err);
/* To say that all went well and nothing more. */
char *protocol_done(enum protocol_op op);
