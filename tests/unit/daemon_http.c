/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses; what is served is in tests/daemon/test_metrics.py. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "daemon/http.h"

static void addresses(void **state)
{
	static const char *const bad[] = { "",	      "127.0.0.1",     "127.0.0.1:", "127.0.0.1:0",
					   "host:80", "1.2.3.4:70000", ":",	     "::1:80",
					   "nothing" };
	struct http_address address = { 0 };
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address.addr;

	assert_int_equal(http_parse_address(HTTP_LISTEN, &address), 0);
	assert_int_equal(v4->sin_family, AF_INET);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(http_parse_address("[::1]:80", &address), 0);
	assert_int_equal(address.addr.ss_family, AF_INET6);
	assert_int_equal(http_parse_address(":80", &address), 0);
	assert_false(address.off);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(http_parse_address(bad[i], &address), -EINVAL);
	assert_int_equal(http_parse_address("off", &address), 0);
	assert_true(address.off);
}

static void taken(void **state)
{
	struct http_address address = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address.addr;
	struct error err = { 0 };
	socklen_t len = sizeof(address.addr);
	int first = -1, second = -1;

	v4->sin_family = AF_INET;
	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(http_listen(&address, &first, NULL), 0);
	assert_int_equal(getsockname(first, (struct sockaddr *)&address.addr, &len), 0);
	assert_int_equal(http_listen(&address, &second, &err), -EADDRINUSE);
	assert_int_equal(second, -1);
	assert_true(error_is_set(&err));
	close(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
