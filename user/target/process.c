/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/util.h"

/* linux/sched.h; in /proc/PID/stat since 2.6.22. */
#define PF_KTHREAD 0x00200000u

#define CMDLINE_MAX (256 * KiB)

/* ---- files below /proc/PID --------------------------------------------------------------------
 */

int process_open_file(const struct process *proc, const char *name)
{
	int fd = openat(proc->proc_fd, name, O_RDONLY | O_CLOEXEC);

	/* The directory of a process that is gone stays open, but is empty. */
	if (fd < 0)
		return errno == ENOENT && faccessat(proc->proc_fd, "stat", F_OK, 0) < 0 ? -ESRCH
											: -errno;
	return fd;
}

int process_read_file(const struct process *proc, const char *name, size_t max, char **ret,
		      size_t *len)
{
	_cleanup_close_ int fd = process_open_file(proc, name);
	size_t size = 0, cap = 4096;
	_cleanup_free_ char *buf = malloc(cap);

	if (fd < 0)
		return fd;
	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, buf + size, cap - size - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > max)
			return -E2BIG;
		if (cap - size < 2) {
			char *bigger = realloc(buf, 2 * cap);

			if (!bigger)
				return -ENOMEM;
			buf = bigger;
			cap *= 2;
		}
	}
	buf[size] = '\0';
	*len = size;
	*ret = TAKE_PTR(buf);
	return 0;
}

/* ---- /proc/PID/stat and status -----------------------------------------------------------------
 */

struct stat_line {
	char comm[64];
	char state;
	unsigned int flags;
	uint64_t start_time_ticks;
	uint64_t start_stack; /* 0: it has no memory any more, or we may not know */
};

/* proc_pid_stat(5): the name may hold anything, ')' and spaces too, so count fields behind the last
 * ')'. */
static bool parse_stat(const char *text, struct stat_line *stat)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned long start, stack;

	if (!open || !close || close < open)
		return false;
	snprintf(stat->comm, sizeof(stat->comm), "%.*s", (int)MIN(close - open - 1, 63l), open + 1);
	/* Fields 3 (state), 9 (flags), 22 (starttime) and 28 (startstack). */
	if (sscanf(close + 1,
		   " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lu"
		   " %*u %*d %*u %*u %*u %lu",
		   &stat->state, &stat->flags, &start, &stack) != 4)
		return false;
	stat->start_time_ticks = start;
	stat->start_stack = stack;
	return true;
}

static int read_stat(const struct process *proc, struct stat_line *stat)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = process_read_file(proc, "stat", 4096, &text, &len);

	if (r < 0)
		return r;
	return text && parse_stat(text, stat) ? 0 : -EIO;
}

/* The value behind "KEY:\t" at the start of a line, or NULL. */
static const char *status_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			return line + len + 1;
	}
	return NULL;
}

/* @tgid: the process that the ID belongs to, which is another number when the ID is that of a
 * thread. */
static int read_status(struct process *proc, pid_t *tgid)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = process_read_file(proc, "status", 64 * KiB, &text, &len);
	const char *value, *end;

	if (r < 0)
		return r;

	value = status_value(text, "Tgid");
	if (!value || sscanf(value, "%d", tgid) != 1)
		return -EIO;
	value = status_value(text, "Uid");
	if (!value || sscanf(value, "%*u %u", &proc->uid) != 1)
		return -EIO;

	/* "NSpid: 4711 12 1": the last is the innermost (since 4.1). */
	proc->ns_pid = proc->pid;
	value = status_value(text, "NSpid");
	end = value ? strchrnul(value, '\n') : NULL;
	for (int n; value && value < end && sscanf(value, "%d%n", &proc->ns_pid, &n) == 1;)
		value += n;
	return 0;
}

/* ---- opening -----------------------------------------------------------------------------------
 */

void process_free(struct process *proc)
{
	if (!proc)
		return;
	cleanup_close(&proc->pidfd);
	cleanup_close(&proc->proc_fd);
	free(proc->exe);
	free(proc->cmdline);
	free(proc->cmdline_full);
	free(proc);
}

static uint64_t start_time_unix(uint64_t ticks)
{
	uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t boot = clock_realtime() - clock_read(CLOCK_BOOTTIME);

	return boot + ticks / hertz * NSEC_PER_SEC + ticks % hertz * (NSEC_PER_SEC / hertz);
}

static char *sanitized(const char *text, size_t len)
{
	/* One bad byte becomes the three of U+FFFD. */
	size_t cap = 3 * len + 1;
	char *copy = malloc(cap);

	if (copy)
		utf8_sanitize(copy, cap, text, len);
	return copy;
}

static int read_exe(struct process *proc)
{
	static const char suffix[] = " (deleted)";
	const size_t suffix_len = sizeof(suffix) - 1;
	char path[PATH_MAX + sizeof(suffix)];
	ssize_t len = readlinkat(proc->proc_fd, "exe", path, sizeof(path));

	/* Without rights the name stays unknown: no reason to fail here. */
	if (len < 0)
		len = 0;
	if ((size_t)len > suffix_len && memcmp(path + len - suffix_len, suffix, suffix_len) == 0) {
		proc->exe_deleted = true;
		len -= (ssize_t)suffix_len;
	}
	proc->exe = sanitized(path, (size_t)len);
	return proc->exe ? 0 : -ENOMEM;
}

static int read_cmdline(struct process *proc)
{
	_cleanup_free_ char *args = NULL;
	size_t len = 0;
	int r = process_read_file(proc, "cmdline", CMDLINE_MAX, &args, &len);

	if (r == -ENOMEM || r == -ESRCH)
		return r;
	/* Hidden or too long: unknown. */
	if (r < 0) {
		args = strdup("");
		len = 0;
	}
	if (!args)
		return -ENOMEM;

	proc->cmdline = process_short_cmdline(args, len);
	/* setproctitle(3) and friends leave NULs behind the text. */
	while (len > 0 && args[len - 1] == '\0')
		len--;
	for (size_t i = 0; i < len; i++)
		if (args[i] == '\0')
			args[i] = ' ';
	proc->cmdline_full = sanitized(args, len);
	return proc->cmdline && proc->cmdline_full ? 0 : -ENOMEM;
}

static bool has_ended(const struct process *proc)
{
	struct pollfd poll_fd = { .fd = proc->pidfd, .events = POLLIN };

	return proc->pidfd >= 0 && poll(&poll_fd, 1, 0) == 1;
}

/* Directory first, then pidfd: whoever can still be read through the directory after that is in
 * both. */
static int open_handles(struct process *proc)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", proc->pid);
	proc->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc->proc_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;

	proc->pidfd = (int)syscall(SYS_pidfd_open, proc->pid, 0);
	/* ENOSYS: before 5.3. EPERM: seccomp filters of containers. EINVAL, ENOENT: a thread,
	 * refused by name later. */
	if (proc->pidfd < 0 && errno == ESRCH)
		return -ESRCH;
	return 0;
}

static int fill(struct process *proc, struct error *err)
{
	struct stat_line stat;
	pid_t tgid;
	int r = read_stat(proc, &stat);

	if (r < 0)
		return r;
	utf8_printable(proc->comm, sizeof(proc->comm), stat.comm, strlen(stat.comm));
	if (stat.flags & PF_KTHREAD)
		return error_set(err, ESRCH, EXIT_UNSUPPORTED,
				 "pid %d (%s) is a kernel thread: it has no memory of its own",
				 proc->pid, proc->comm);
	if (stat.state == 'Z' || stat.state == 'X' || has_ended(proc))
		return error_set(err, ESRCH, EXIT_NO_PROCESS,
				 "pid %d (%s) has ended and is a zombie: its memory is gone",
				 proc->pid, proc->comm);
	proc->start_time_ticks = stat.start_time_ticks;
	proc->start_time_unix_ns = start_time_unix(stat.start_time_ticks);
	proc->start_stack = stat.start_stack;

	r = read_status(proc, &tgid);
	if (r < 0)
		return r;
	if (tgid != proc->pid)
		return error_set(err, ESRCH, EXIT_NO_PROCESS,
				 "%d is a thread of process %d: give that PID", proc->pid, tgid);
	r = read_exe(proc);
	if (r < 0)
		return r;
	return read_cmdline(proc);
}

int process_open(pid_t pid, struct process **ret, struct error *err)
{
	_cleanup_process_ struct process *proc = calloc(1, sizeof(*proc));
	int r;

	if (!proc)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "no memory");
	proc->pid = pid;
	proc->pidfd = -1;
	proc->proc_fd = -1;

	r = pid > 0 ? open_handles(proc) : -ESRCH;
	if (r == 0)
		r = fill(proc, err);
	if (r == 0) {
		*ret = TAKE_PTR(proc);
		return 0;
	}
	if (r == -ESRCH)
		return error_set(err, ESRCH, EXIT_NO_PROCESS,
				 "no process %d: `pymemtop ps` lists running Pythons", pid);
	if (r == -EPERM || r == -EACCES)
		return process_no_permission(proc, "look at", err);
	return error_set(err, -r, EXIT_INTERNAL, "cannot read /proc/%d: %s", pid,
			 strerrordesc_np(-r));
}

int process_no_permission(const struct process *proc, const char *what, struct error *err)
{
	char scope[16] = "";
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");

	if (file && fscanf(file, "%15s", scope) != 1)
		scope[0] = '\0';
	return error_set(err, EPERM, EXIT_NO_PERMISSION,
			 "no permission to %s pid %d (%s) of uid %u: run as root, or give the "
			 "binary cap_sys_ptrace "
			 "(setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep pymemtop)%s%s",
			 what, proc->pid, proc->comm, proc->uid,
			 scope[0] ? "; kernel.yama.ptrace_scope is " : "", scope);
}

/* ---- is it still there? ------------------------------------------------------------------------
 */

char process_state(const struct process *proc)
{
	struct stat_line stat;

	if (read_stat(proc, &stat) < 0)
		return 0;
	return stat.state;
}

/* execve() gives a process a stack of its own, at a random place. */
static bool has_other_stack(const struct process *proc, const struct stat_line *stat)
{
	return proc->start_stack && stat->start_stack && proc->start_stack != stat->start_stack;
}

bool process_has_execed(const struct process *proc)
{
	struct stat_line stat;

	return !read_stat(proc, &stat) && has_other_stack(proc, &stat);
}

bool process_is_alive(const struct process *proc)
{
	struct stat_line stat;

	return !read_stat(proc, &stat) && stat.state != 'X' && stat.state != 'Z' &&
	       !has_other_stack(proc, &stat) && !has_ended(proc);
}

/* ---- command line ------------------------------------------------------------------------------
 */

/* The arguments of a command line, one after the other. */
struct args {
	const char *at, *end;
};

static bool next_arg(struct args *args, const char **ret, size_t *len)
{
	if (args->at >= args->end)
		return false;
	*ret = args->at;
	*len = strnlen(args->at, (size_t)(args->end - args->at));
	args->at += *len + 1;
	return true;
}

/* What the options of the interpreter lead to. */
struct command {
	const char *kind; /* " -m ", " -c ...", " " in front of a script, "" when there is none */
	const char *text;
	size_t len;
};

/*
 * One argument that begins with '-': options may stand together, and one that takes a value ends
 * the group, its value behind it or in the next argument (SHORT_OPTS
 * "+bBc:dEhiIJm:OPqRsStuvVW:xX:?" of Python/getopt.c, 3.13). True when the command is known.
 */
static bool parse_group(const char *arg, size_t len, struct args *args, struct command *cmd)
{
	for (size_t i = 1; i < len; i++) {
		const char *value = arg + i + 1;
		size_t value_len = len - i - 1;

		if (!strchr("cmWX", arg[i]))
			continue;
		if (arg[i] == 'c') {
			*cmd = (struct command){ .kind = " -c ..." };
			return true;
		}
		if (value_len == 0 && !next_arg(args, &value, &value_len))
			return true;
		if (arg[i] == 'm')
			*cmd = (struct command){ .kind = " -m ", .text = value, .len = value_len };
		return arg[i] == 'm';
	}
	return false;
}

static struct command parse_command(struct args args)
{
	static const char with_value[] = "--check-hash-based-pycs";
	struct command cmd = { .kind = "" };
	const char *arg;
	size_t len;

	while (next_arg(&args, &arg, &len)) {
		if (len == 2 && memcmp(arg, "--", 2) == 0) {
			if (next_arg(&args, &arg, &len))
				cmd = (struct command){ .kind = " ", .text = arg, .len = len };
			break;
		}
		if (len > 2 && memcmp(arg, "--", 2) == 0) {
			/* The only long option that takes a value. */
			if (len == sizeof(with_value) - 1 && memcmp(arg, with_value, len) == 0)
				next_arg(&args, &arg, &len);
			continue;
		}
		if (len < 2 || arg[0] != '-') {
			cmd = (struct command){ .kind = " ", .text = arg, .len = len };
			break;
		}
		if (parse_group(arg, len, &args, &cmd))
			break;
	}
	return cmd;
}

/* Other programs (uwsgi, a frozen binary) have options of their own: what follows may be a secret.
 */
static bool is_interpreter_name(const char *arg, size_t len)
{
	const char *slash = memrchr(arg, '/', len);

	if (slash)
		len -= (size_t)(slash + 1 - arg);
	return memmem(slash ? slash + 1 : arg, len, "python", 6) != NULL;
}

char *process_short_cmdline(const char *args, size_t len)
{
	struct args rest = { .at = args, .end = args + len };
	struct command cmd = { .kind = "" };
	_cleanup_free_ char *text = NULL;
	const char *program;
	size_t program_len;
	int n;

	if (!next_arg(&rest, &program, &program_len))
		return strdup("");
	if (is_interpreter_name(program, program_len))
		cmd = parse_command(rest);

	n = asprintf(&text, "%.*s%s%.*s", (int)program_len, program, cmd.kind, (int)cmd.len,
		     cmd.text ? cmd.text : "");
	if (n < 0) {
		text = NULL;
		return NULL;
	}
	return sanitized(text, (size_t)n);
}
