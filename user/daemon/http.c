/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/http.h"

#include "base/clock.h"
#include "base/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <event2/util.h>

/* Without a byte in either direction, and altogether. */
#define SILENCE_MAX_S 10
#define CONNECTION_LIMIT (60 * NSEC_PER_SEC)
/* And where others wait for a place: a scrape of this machine takes some milliseconds. */
#define CROWDED_LIMIT NSEC_PER_SEC
#define HEADERS_MAX 8192

struct connection {
	struct bufferevent *bev; /* a reference of our own */
	uint64_t since;
};

struct http {
	struct keeper *keeper;
	struct evhttp *evhttp;
	struct evconnlistener *listener; /* evhttp's */
	struct connection connections[HTTP_CONNECTIONS_MAX];
	size_t count;
};

/* ---- addresses ---------------------------------------------------------------------------------
 */

int http_parse_address(const char *text, struct http_address *ret)
{
	struct http_address address = { .len = sizeof(address.addr) };
	char any[64];
	int len = sizeof(address.addr);

	if (streq(text, "off")) {
		ret->off = true;
		return 0;
	}
	if (text[0] == ':') {
		snprintf(any, sizeof(any), "[::]%s", text);
		text = any;
	}
	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address.addr, &len))
		return -EINVAL;
	address.len = (socklen_t)len;
	/* The port is at the same place for both families. */
	if (!((struct sockaddr_in *)&address.addr)->sin_port)
		return -EINVAL;
	*ret = address;
	return 0;
}

int http_listen(const struct http_address *address, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd =
		socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, r;

	if (fd < 0)
		return error_set(err, errno, EXIT_INTERNAL, "cannot make a socket: %s",
				 strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&address->addr, address->len) || listen(fd, 128)) {
		r = errno;
		return error_set(
			err, r, r == EACCES ? EXIT_NO_PERMISSION : EXIT_INTERNAL,
			"cannot listen for HTTP: %s; give another --listen, or --listen off",
			strerror(r));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* ---- bounded connections -----------------------------------------------------------------------
 */

/* libevent 2.1 has no limit of its own: whatever it has closed has no callbacks any more
 * (bufferevent_free()). */
static bool is_closed(struct bufferevent *bev)
{
	bufferevent_data_cb read_cb, write_cb;
	bufferevent_event_cb event_cb;

	bufferevent_getcb(bev, &read_cb, &write_cb, &event_cb, NULL);
	return !read_cb && !write_cb && !event_cb;
}

static void reap(struct http *http)
{
	size_t kept = 0;

	for (size_t i = 0; i < http->count; i++) {
		if (is_closed(http->connections[i].bev))
			bufferevent_decref(http->connections[i].bev);
		else
			http->connections[kept++] = http->connections[i];
	}
	http->count = kept;
	if (http->count < HTTP_CONNECTIONS_MAX)
		evconnlistener_enable(http->listener);
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct http *http = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);

	if (!bev || http->count == HTTP_CONNECTIONS_MAX)
		return bev;
	bufferevent_incref(bev);
	http->connections[http->count++] = (struct connection){ bev, clock_monotonic() };
	/* The next ones wait in the kernel's queue. */
	if (http->count == HTTP_CONNECTIONS_MAX)
		evconnlistener_disable(http->listener);
	return bev;
}

void http_tick(struct http *http)
{
	uint64_t now = clock_monotonic(), limit;

	reap(http);
	limit = http->count == HTTP_CONNECTIONS_MAX ? CROWDED_LIMIT : CONNECTION_LIMIT;
	for (size_t i = 0; i < http->count; i++) {
		struct connection *c = &http->connections[i];

		/* evhttp sees the end of the connection and frees it. */
		if (now > c->since + limit)
			shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
	}
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static void reply(struct evhttp_request *request, const char *type, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Connection", "close");
	evhttp_send_reply(request, HTTP_OK, "OK", body);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
	struct http *http = arg;
	const char *accept =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
	enum openmetrics_format format = openmetrics_negotiate(accept);
	struct evbuffer *body = evbuffer_new();

	if (!body || keeper_write_metrics(http->keeper, format, NULL, body))
		evhttp_send_error(request, HTTP_SERVUNAVAIL, "out of memory");
	else
		reply(request, openmetrics_content_type(format), body);
	if (body)
		evbuffer_free(body);
}

static void on_healthz(struct evhttp_request *request, void *arg)
{
	struct evbuffer *body = evbuffer_new();

	if (body) {
		evbuffer_add_printf(body, "ok\n");
		reply(request, "text/plain; charset=utf-8", body);
		evbuffer_free(body);
	} else {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, "out of memory");
	}
}

static void on_other(struct evhttp_request *request, void *arg)
{
	evhttp_send_error(request, HTTP_NOTFOUND, "only /metrics and /healthz are here");
}

int http_new(struct event_base *base, struct keeper *keeper, int fd, struct http **ret)
{
	struct http *http = calloc(1, sizeof(*http));
	struct evhttp_bound_socket *bound = NULL;

	if (http)
		http->evhttp = evhttp_new(base);
	if (http && http->evhttp)
		bound = evhttp_accept_socket_with_handle(http->evhttp, fd);
	if (!bound) {
		close(fd);
		if (http && http->evhttp)
			evhttp_free(http->evhttp);
		free(http);
		return -ENOMEM;
	}
	http->keeper = keeper;
	http->listener = evhttp_bound_socket_get_listener(bound);
	evhttp_set_bevcb(http->evhttp, on_connection, http);
	evhttp_set_timeout(http->evhttp, SILENCE_MAX_S);
	evhttp_set_max_headers_size(http->evhttp, HEADERS_MAX);
	evhttp_set_max_body_size(http->evhttp, 0);
	evhttp_set_allowed_methods(http->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_cb(http->evhttp, "/metrics", on_metrics, http);
	evhttp_set_cb(http->evhttp, "/healthz", on_healthz, http);
	evhttp_set_gencb(http->evhttp, on_other, http);
	*ret = http;
	return 0;
}

void http_free(struct http *http)
{
	evhttp_free(http->evhttp);
	for (size_t i = 0; i < http->count; i++)
		bufferevent_decref(http->connections[i].bev);
	free(http);
}
