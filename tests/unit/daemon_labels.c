/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "daemon/labels.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "8f1e6a2c-7b1d-4a55-9a52-0c2f1f4f7d3e"
#define UID_ESCAPED "8f1e6a2c_7b1d_4a55_9a52_0c2f1f4f7d3e"

static void from_cgroups(void **state)
{
	static const struct {
		const char *cgroup, *service, *pod, *container;
	} cases[] = {
		{ "0::/system.slice/nginx.service\n", "nginx", "", "" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n", "web",
		  "", "" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "app", "", "" },
		{ "0::/docker/" ID "\n", "app", "", ID },
		{ "0::/system.slice/docker-" ID ".scope\n", "app", "", ID },
		{ "4:memory:/kubepods/burstable/pod" UID "/" ID "\n0::/\n", "app", UID, ID },
		{ "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ESCAPED
		  ".slice/cri-containerd-" ID ".scope\n",
		  "app", UID, ID },
		{ "0::/kubepods.slice/kubepods-pod" UID_ESCAPED ".slice/crio-" ID ".scope", "app",
		  UID, ID },
		{ "0::/podcast.service\n", "podcast", "", "" },
		{ "", "app", "", "" },
		{ "nonsense\n::\n0::", "app", "", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct labels labels;

		labels_parse(cases[i].cgroup, "python3 /srv/app.py", &labels);
		assert_string_equal(labels.service, cases[i].service);
		assert_string_equal(labels.pod, cases[i].pod);
		assert_string_equal(labels.container, cases[i].container);
	}
}

static void from_command_lines(void **state)
{
	static const struct {
		const char *cmdline, *service;
	} cases[] = {
		{ "python3 /srv/app.py", "app" },
		{ "python3 app", "app" },
		{ "python3 -m http.server", "http.server" },
		{ "/usr/bin/python3 -c ...", "python3" },
		{ "/usr/bin/python3", "python3" },
		{ "/opt/my tools/x.py", "x" },
		{ "", "unknown" },
		{ "/", "/" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct labels labels;

		labels_parse("", cases[i].cmdline, &labels);
		assert_string_equal(labels.service, cases[i].service);
	}
}

static void long_names_are_cut(void **state)
{
	char cgroup[1024] = "0::/";
	struct labels labels;

	memset(cgroup + 4, 'x', 500);
	strcpy(cgroup + 504, ".service\n");
	labels_parse(cgroup, "", &labels);
	assert_int_equal(strlen(labels.service), LABELS_MAX - 1);
}

static void of_ourselves(void **state)
{
	struct process *proc;
	struct labels labels;

	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	labels_read(proc, &labels);
	assert_true(*labels.service);
	process_free(proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_cgroups),
		cmocka_unit_test(from_command_lines),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(of_ourselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
