/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "target/python.h"

/* A program that prints a line when it is ready and ends when its stdin is closed. */
struct child {
	pid_t pid;
	int in;
	char line[256];
};

static bool child_start(struct child *child, const char *const *argv)
{
	int to[2], from[2];
	_cleanup_fclose_ FILE *out = NULL;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	child->pid = fork();
	if (child->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	child->in = to[1];
	out = fdopen(from[0], "r");
	return fgets(child->line, sizeof(child->line), out) != NULL;
}

static void child_stop(struct child *child)
{
	close(child->in);
	kill(child->pid, SIGKILL);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

static int find(const struct child *child, struct python **ret, struct error *err)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_memory_ struct memory *mem = NULL;

	assert_int_equal(process_open(child->pid, &proc, err), 0);
	assert_int_equal(memory_live_new(child->pid, &mem), 0);
	return python_find(proc, mem, ret, err);
}

/* What an interpreter says of itself: hex, free-threaded, debug, and the address of _PyRuntime if
 * it can. */
static const char tell[] =
	"import sys\n"
	"try:\n"
	"    import sysconfig; ft = int(bool(sysconfig.get_config_var('Py_GIL_DISABLED')))\n"
	"except ImportError: ft = 0\n"
	"try:\n"
	"    import ctypes; rt = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "
	"'_PyRuntime'))\n"
	"except Exception: rt = 0\n"
	"print('%x %d %d %x' % (sys.hexversion, ft, hasattr(sys, 'gettotalrefcount'), rt))\n"
	"sys.stdout.flush()\n"
	"sys.stdin.read()\n";

/* -1: it does not run here. */
static int check_interpreter(const char *path)
{
	const char *const argv[] = { path, "-c", tell, NULL };
	_cleanup_python_ struct python *py = NULL;
	struct error err = { 0 };
	struct child child;
	unsigned int hex, free_threaded, debug;
	unsigned long runtime;
	int r;

	if (!child_start(&child, argv) ||
	    sscanf(child.line, "%x %u %u %lx", &hex, &free_threaded, &debug, &runtime) != 4) {
		child_stop(&child);
		return -1;
	}
	r = find(&child, &py, &err);
	print_message("%s: says %08x; found %08x by %s\n", path, hex, py ? py->hex : 0,
		      py ? python_evidence_name(py->evidence) : err.text);
	if (hex < PYTHON_HEX(3, 7, 0)) {
		assert_int_equal(r, -ENOTSUP);
		assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
		assert_non_null(strstr(err.text, "older than 3.7"));
		child_stop(&child);
		return 0;
	}
	assert_int_equal(r, 0);
	assert_int_equal(py->hex, hex);
	assert_int_equal(py->free_threaded, free_threaded);
	assert_int_equal(py->debug, debug);
	assert_int_equal(py->runtimes_count, 1);
	assert_true(py->initialized);
	assert_true(runtime == 0 || py->runtime == runtime);
	assert_true(python_symbol(py, "_PyRuntime") == py->runtime);
	assert_true(python_symbol(py, "no_such_symbol") == 0);
	assert_true(python_symbol(py, "PyObject_Malloc") != 0);
	assert_string_equal(py->path, py->map->path);
	child_stop(&child);
	return 0;
}

static void agrees_with_every_interpreter_here(void **state)
{
	static const char *const patterns[] = { "/usr/bin/python3", "/usr/local/bin/python3",
						"%s/versions/*/bin/python" };
	const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
	char pyenv[2048], pattern[4096];
	size_t seen = 0;

	snprintf(pyenv, sizeof(pyenv), "%s%s",
		 root	? root
		 : home ? home
			: "/root",
		 root ? "" : "/.pyenv");
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		glob_t found;

		snprintf(pattern, sizeof(pattern),
			 strchr(patterns[i], '%') ? "%s/versions/*/bin/python" : "%s",
			 strchr(patterns[i], '%') ? pyenv : patterns[i]);
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			seen += check_interpreter(found.gl_pathv[k]) == 0;
		globfree(&found);
	}
	assert_true(seen > 0);
}

/* A second libpython that is mapped but never started must not be taken for the first. */
static void takes_the_runtime_in_use(void **state)
{
	static const char load[] =
		"import ctypes, glob, os, sys\n"
		"root = os.environ.get('PYENV_ROOT') or os.path.expanduser('~/.pyenv')\n"
		"n = 0\n"
		"for path in sorted(glob.glob(root + '/versions/3.1*/lib/libpython3.*.so.1.0')):\n"
		"    try: ctypes.CDLL(path); n += 1\n"
		"    except OSError: pass\n"
		"print(n, '%x' % sys.hexversion, flush=True)\n"
		"sys.stdin.read()\n";
	const char *const argv[] = { "/usr/bin/python3", "-c", load, NULL };
	_cleanup_python_ struct python *py = NULL;
	struct error err = { 0 };
	struct child child;
	unsigned int hex;
	int others, r;

	if (access(argv[0], X_OK) != 0)
		skip();
	assert_true(child_start(&child, argv));
	assert_int_equal(sscanf(child.line, "%d %x", &others, &hex), 2);
	r = find(&child, &py, &err);
	child_stop(&child);
	if (others == 0)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(py->hex, hex);
	assert_true(py->runtimes_count >= 1 + others);
}

static void refuses_what_is_no_python(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "echo; kill -STOP $$", NULL };
	struct python *py = NULL;
	struct error err = { 0 };
	struct child child;
	int r;

	assert_true(child_start(&child, argv));
	r = find(&child, &py, &err);
	child_stop(&child);
	assert_int_equal(r, -ENOEXEC);
	assert_null(py);
	assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
	assert_non_null(strstr(err.text, "is not a Python: no mapped file exports _PyRuntime"));
}

static void says_when_it_has_ended(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "echo; read x", NULL };
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	struct python *py = NULL;
	struct error err = { 0 };
	struct child child;

	assert_true(child_start(&child, argv));
	assert_int_equal(process_open(child.pid, &proc, NULL), 0);
	assert_int_equal(memory_live_new(child.pid, &mem), 0);
	child_stop(&child);
	assert_int_equal(python_find(proc, mem, &py, &err), -ESRCH);
	assert_int_equal(err.exit_code, EXIT_NO_PROCESS);
	assert_null(py);
}

static void names_its_evidence(void **state)
{
	assert_string_equal(python_evidence_name(PYTHON_EVIDENCE_PY_VERSION), "Py_Version");
	assert_string_equal(python_evidence_name((enum python_evidence)77), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_every_interpreter_here),
		cmocka_unit_test(takes_the_runtime_in_use),
		cmocka_unit_test(refuses_what_is_no_python),
		cmocka_unit_test(says_when_it_has_ended),
		cmocka_unit_test(names_its_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
