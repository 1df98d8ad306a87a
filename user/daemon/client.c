/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/client.h"

#include "base/clock.h"
#include "base/util.h"
#include "daemon/protocol.h"
#include "daemon/visit.h"
#include "view/json_read.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The daemon gives up a visit that hangs after a minute; it is expected to answer by then. */
#define ANSWER_LIMIT (90 * NSEC_PER_SEC)
#define NAP_MS 100
#define LINE_MAX_BYTES (2 * VISIT_RENDER_MAX)

struct client {
	int fd;
	char *line; /* what was received so far of the next one */
	size_t len, cap;
};

/* ---- lines -------------------------------------------------------------------------------------
 */

static int send_text(struct client *client, const char *text)
{
	for (size_t sent = 0, len = strlen(text); sent < len;) {
		ssize_t n = send(client->fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -EPIPE;
		sent += (size_t)n;
	}
	return 0;
}

static int make_room(struct client *client)
{
	size_t more = client->cap ? 2 * client->cap : 65536;
	char *grown;

	if (client->cap - client->len > 1)
		return 0;
	grown = more <= LINE_MAX_BYTES ? realloc(client->line, more) : NULL;
	if (!grown)
		return more <= LINE_MAX_BYTES ? -ENOMEM : -EMSGSIZE;
	client->line = grown;
	client->cap = more;
	return 0;
}

/* Waits for the next line, which is in client->line without its newline until the next call. */
static int receive_line(struct client *client, const volatile bool *stop)
{
	uint64_t end = clock_monotonic() + ANSWER_LIMIT;

	client->len = 0;
	for (;;) {
		struct pollfd pollfd = { .fd = client->fd, .events = POLLIN };
		ssize_t n;
		int r;

		if (stop && *stop)
			return -EINTR;
		if (clock_monotonic() > end)
			return -ETIMEDOUT;
		if (poll(&pollfd, 1, NAP_MS) <= 0)
			continue;
		r = make_room(client);
		if (r)
			return r;
		n = recv(client->fd, client->line + client->len, client->cap - client->len - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		client->len += (size_t)n;
		/* One answer for each request: the newline is the last byte. */
		if (client->line[client->len - 1] != '\n')
			continue;
		client->line[--client->len] = '\0';
		return 0;
	}
}

/* ---- connecting --------------------------------------------------------------------------------
 */

static int check_hello(struct client *client, const char *path, struct error *err)
{
	json_t *json = json_loadb(client->line, client->len, 0, NULL);
	json_int_t version = json_integer_value(json_object_get(json, "version"));

	json_decref(json);
	if (version == PROTOCOL_VERSION)
		return 0;
	return error_set(err, EPROTO, EXIT_INTERNAL,
			 "the daemon at %s speaks another version (%lld, not %d): restart it after "
			 "the update",
			 path, (long long)version, PROTOCOL_VERSION);
}

int client_open(const char *path, struct client **ret, struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_client_ struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return -ENOENT;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(client->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -ENOENT;
	r = send_text(client, "{\"op\":\"hello\"}\n");
	if (!r)
		r = receive_line(client, NULL);
	if (!r)
		r = check_hello(client, path, err);
	if (!r)
		*ret = TAKE_PTR(client);
	/* Cut off before it said anything: as good as none. */
	return r == -EPIPE ? -ENOENT : r;
}

void client_close(struct client *client)
{
	cleanup_close(&client->fd);
	free(client->line);
	free(client);
}

/* ---- snapshots ---------------------------------------------------------------------------------
 */

/* errno for an exit code: what the caller would have got by attaching. */
static int errno_of(long long exit_code)
{
	static const int map[] = {
		[EXIT_NO_PROCESS] = ESRCH,
		[EXIT_NO_PERMISSION] = EPERM,
		[EXIT_UNSUPPORTED] = ENOTSUP,
	};

	return exit_code > 0 && exit_code < (long long)ARRAY_SIZE(map) && map[exit_code]
		       ? map[exit_code]
		       : EIO;
}

/* An answer that is an error: -errno with @err. 0: it is none. */
static int check_error(struct client *client, struct error *err)
{
	json_t *json, *error;
	long long code;
	int r = 0;

	/* A snapshot may be large, and it is parsed once, by who knows it. */
	if (client->len > PROTOCOL_REQUEST_MAX)
		return 0;
	json = json_loadb(client->line, client->len, 0, NULL);
	error = json_object_get(json, "error");
	if (json_is_object(error)) {
		code = json_integer_value(json_object_get(error, "exit_code"));
		r = error_set(
			err, errno_of(code),
			code > 0 && code <= EXIT_THRESHOLD ? (enum exit_code)code : EXIT_INTERNAL,
			"%s",
			json_string_value(json_object_get(error, "text")) ?: "the daemon failed");
	}
	json_decref(json);
	return r;
}

int client_take(struct client *client, pid_t pid, const volatile bool *stop, struct picture **ret,
		struct error *err)
{
	_cleanup_fclose_ FILE *in = NULL;
	char request[64];
	int r;

	snprintf(request, sizeof(request), "{\"op\":\"snapshot\",\"pid\":%d}\n", pid);
	r = send_text(client, request);
	if (!r)
		r = receive_line(client, stop);
	if (!r)
		r = check_error(client, err);
	if (r == -EPIPE)
		return error_set(err, EPIPE, EXIT_INTERNAL, "the daemon has closed the connection");
	if (r == -ETIMEDOUT)
		return error_set(err, ETIMEDOUT, EXIT_INTERNAL, "the daemon does not answer");
	if (r)
		return r;
	in = fmemopen(client->line, client->len, "r");
	return in ? json_read_picture(in, "the daemon's answer", ret, err) : -ENOMEM;
}
