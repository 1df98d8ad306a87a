/* SPDX-License-Identifier: BSD-2-Clause */
/* Against a server that answers what each test wants. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "daemon/client.h"
#include "sample_picture.h"
#include "view/json.h"

#define HELLO "{\"op\":\"hello\",\"version\":1}\n"

static char path[64];
static const char *const *answers; /* one for each request; NULL ends the connection */

static void *serve(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL);
	char request[512];

	for (const char *const *answer = answers; *answer; answer++) {
		if (read(fd, request, sizeof(request)) <= 0)
			break;
		/* In two pieces. */
		if (write(fd, *answer, 5) != 5 || usleep(1000) ||
		    write(fd, *answer + 5, strlen(*answer) - 5) != (ssize_t)strlen(*answer) - 5)
			break;
	}
	shutdown(fd, SHUT_WR);
	while (read(fd, request, sizeof(request)) > 0)
		;
	close(fd);
	return NULL;
}

/* What client_open() and then client_take() return. */
static int talk(const char *const *script, int *opened, struct picture **pic, struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), r = 0;
	struct client *client = NULL;
	pthread_t thread;

	answers = script;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, &fd), 0);
	*opened = client_open(path, &client, err);
	if (!*opened)
		r = client_take(client, 4242, NULL, pic, err);
	if (client)
		client_close(client);
	pthread_join(thread, NULL);
	close(fd);
	unlink(path);
	return r;
}

static void a_snapshot(void **state)
{
	struct picture *sample = sample_picture(), *pic = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int opened;

	json_write_picture(out, sample, NULL, JSON_STYLE_LINE);
	fclose(out);
	assert_int_equal(talk((const char *const[]){ HELLO, text, NULL }, &opened, &pic, NULL), 0);
	assert_int_equal(opened, 0);
	assert_int_equal(pic->types_count, sample->types_count);
	assert_string_equal(pic->types[0].name, "app.Foo");
	picture_free(pic);
	picture_free(sample);
	free(text);
}

static void what_goes_wrong(void **state)
{
	static const struct {
		const char *answer;
		int r;
	} cases[] = {
		{ "{\"error\":{\"exit_code\":3,\"text\":\"not here\"}}\n", -ESRCH },
		{ "{\"error\":{\"exit_code\":4,\"text\":\"not you\"}}\n", -EPERM },
		{ "{\"error\":{\"exit_code\":-9,\"text\":7}}\n", -EIO },
		{ "{\"error\":{}}        \n", -EIO },
		{ "this is no JSON\n", -EBADMSG },
		{ "{\"schema\":\"pymemtop.snapshot/1\"}\n", -EBADMSG },
		{ "12345no newline", -EPIPE },
		{ NULL, -EPIPE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const script[] = { HELLO, cases[i].answer, NULL };
		struct picture *pic = NULL;
		struct error err = { 0 };
		int opened;

		assert_int_equal(talk(script, &opened, &pic, &err), cases[i].r);
		assert_int_equal(opened, 0);
		assert_null(pic);
		assert_true(error_is_set(&err));
	}
}

static void other_servers(void **state)
{
	struct error err = { 0 };
	int opened;

	talk((const char *const[]){ "{\"op\":\"hello\",\"version\":2}\n", NULL }, &opened, NULL,
	     &err);
	assert_int_equal(opened, -EPROTO);
	assert_non_null(strstr(err.text, "another version"));
	talk((const char *const[]){ "HTTP/1.0 400 Bad Request\r\n", NULL }, &opened, NULL, NULL);
	assert_int_equal(opened, -EPROTO);
	talk((const char *const[]){ NULL }, &opened, NULL, NULL);
	assert_int_equal(opened, -ENOENT);
}

static void no_server(void **state)
{
	struct client *client = NULL;
	char longer[300];

	assert_int_equal(client_open("/nowhere", &client, NULL), -ENOENT);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(client_open(longer, &client, NULL), -ENOENT);
	assert_null(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot),
		cmocka_unit_test(what_goes_wrong),
		cmocka_unit_test(other_servers),
		cmocka_unit_test(no_server),
	};

	signal(SIGPIPE, SIG_IGN);
	snprintf(path, sizeof(path), "/tmp/pymemtop-client-%d", getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
