/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/cost.h"

#include "base/clock.h"
#include "base/util.h"
#include "probe/kernel.h"
#include "probe/links.h"
#include "probe/links_trace.h"
#include "probe/programs.h"

#include "events.skel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 5
#define EXIT_GUESS_NS (6 * NSEC_PER_MSEC) /* the first time: then it is learnt */
/* 16 programs of docs/overhead.md paid 1.02 to 1.46 times what our own loop pays. */
#define REAL_FACTOR 1.5
#define TURN_SITES 64
#define TURN_ROUNDS 5
/* Cold caches and address translations come after an interruption: a Python of 231 sites lost 7 ms
 * to an opening and a closing, of which the interruptions alone were 2. */
#define TURN_FACTOR 3
#define TURN_LEAST_NS                                                                              \
	2000.0 /* whatever was measured: on a busy machine it drowns in what others take */
#define USUAL_NS (20 * NSEC_PER_MSEC)
/* What takes a running thread's time: from an interrupt to what is no interrupt any more. */
#define GAP_LEAST_NS 1000
#define GAP_MOST_NS 200000
#define ROUND_HITS 4000
#define KEPT_NS (60 * NSEC_PER_SEC)
#define STEPPED_HITS (ROUND_HITS / 8)
#define STATUS_MAX 16384
#define RING_RECORDS (1 << 15) /* holds what all rounds of one measurement write */

/*
 * The instruction that is probed: a conditional jump, as most real sites are, with the zero flag
 * clear, and rdi and what is returned pointing to what a pool or a block looks like.
 */
void cost_pass(const void *block);
extern const char cost_site[] __attribute__((visibility("hidden")));
__asm__(".text\n"
	".p2align 4\n"
	".globl cost_pass\n"
	".hidden cost_pass\n"
	".type cost_pass, @function\n"
	"cost_pass:\n"
	"	mov %rdi, %rax\n"
	"	test %rdi, %rdi\n"
	".globl cost_site\n"
	".hidden cost_site\n"
	"cost_site:\n"
	"	je 1f\n"
	"1:	ret\n"
	".rept 64\n" /* TURN_SITES places that nobody comes by */
	"	je 2f\n"
	"2:\n"
	".endr\n"
	".size cost_pass, . - cost_pass\n");

/* Where the kernel finds that instruction in our own file. */
static int own_offset(uint64_t *ret)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	uint64_t at = (uint64_t)(uintptr_t)cost_site, start, end, offset;
	char line[512];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && at >= start &&
		    at < end) {
			*ret = at - start + offset;
			return 0;
		}
	}
	return -ENOENT;
}

/* Thread CPU time a pass takes: the lowest of some rounds, as everything else only adds. */
static double pass_ns(const void *block, int hits)
{
	double best = 1e12;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = clock_read(CLOCK_THREAD_CPUTIME_ID);

		for (int i = 0; i < hits; i++)
			cost_pass(block);
		best = MIN(best, (double)(clock_read(CLOCK_THREAD_CPUTIME_ID) - start) / hits);
	}
	return best;
}

struct measurement {
	struct events *bpf;
	struct ring ring;
	struct links *links;
	enum session_link link;
	uint64_t offset; /* of the instruction in our file */
	uint64_t close_ns;
	pid_t pid; /* whose pass is probed; 0: ours */
};

static int attach(const struct measurement *m, enum links_program program, enum site_role role)
{
	union site_word cookie = { .c = { .role = (uint8_t)role, .reg = 7, .size_reg = 7 } };
	uint64_t word = cookie.word, offset = m->offset, back = 0;
	struct links_batch batch = { .program = program,
				     .path = "/proc/self/exe", /* its own, which is ours */
				     .is_return = role == SITE_FRESH,
				     .pid = m->pid ? m->pid : getpid(),
				     .offsets = &offset,
				     .cookies = &word,
				     .count = 1 };

	int r;

	if (role == SITE_OPENING) /* where those of 3.8 are: at what is single-stepped */
		back = (uint64_t)(cost_site - (const char *)(uintptr_t)cost_pass);
	offset -= back;
	r = programs_place(m->bpf, (uint64_t)(uintptr_t)cost_site - back, cookie.c);
	return r ? r : links_add(m->links, LINKS_PASSING, &batch);
}

static int measure_one(struct measurement *m, enum links_program program, enum site_role role,
		       double *ret)
{
	static const uint64_t block[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	int hits = role == SITE_OPENING ? STEPPED_HITS : ROUND_HITS, r;
	double bare = pass_ns(block, hits);

	r = attach(m, program, role);
	if (!r)
		*ret = MAX(pass_ns(block, hits) - bare, 1.0);
	m->close_ns = clock_monotonic();
	if (!r)
		r = links_clear(m->links, LINKS_PASSING);
	m->close_ns = clock_monotonic() - m->close_ns;
	while (ring_next(&m->ring))
		;
	ring_release(&m->ring);
	return r;
}

/* A thread that does nothing but look for what of its time goes elsewhere. */
struct spinner {
	bool stop;
	uint64_t lost_ns;
	double usual; /* share of its time that is lost anyway */
};

static void *spin(void *arg)
{
	struct spinner *s = arg;
	uint64_t last = clock_monotonic();

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		uint64_t now = clock_monotonic(), gap = now - last;

		last = now;
		if (gap >= GAP_LEAST_NS && gap < GAP_MOST_NS)
			__atomic_add_fetch(&s->lost_ns, gap, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* What attaching and detaching so many sites takes of a thread that runs beside. */
static int turn_round(const struct measurement *m, struct spinner *s, double *ret)
{
	uint64_t offsets[TURN_SITES], cookies[TURN_SITES] = { 0 }, lost, start;
	struct links_batch batch = { .program = LINKS_ON_EMPTY,
				     .path = "/proc/self/exe",
				     .pid = getpid(),
				     .offsets = offsets,
				     .cookies = cookies,
				     .count = m->link == SESSION_LINK_PERF ? 1 : TURN_SITES };
	int r;

	for (size_t i = 0; i < TURN_SITES; i++)
		offsets[i] = m->offset + 3 + 2 * i; /* je, ret */
	lost = __atomic_load_n(&s->lost_ns, __ATOMIC_RELAXED);
	start = clock_monotonic();
	r = links_add(m->links, LINKS_PASSING, &batch);
	if (!r)
		r = links_clear(m->links, LINKS_PASSING);
	lost = __atomic_load_n(&s->lost_ns, __ATOMIC_RELAXED) - lost;
	*ret = ((double)lost - s->usual * (double)(clock_monotonic() - start)) / 2 /
	       (double)batch.count;
	return r;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Timers and the machine's other guests interrupt it as well. */
static void watch_usual(struct spinner *s)
{
	struct timespec nap = { .tv_nsec = USUAL_NS };
	uint64_t start = clock_monotonic();

	nanosleep(&nap, NULL);
	s->usual = (double)__atomic_load_n(&s->lost_ns, __ATOMIC_RELAXED) /
		   (double)(clock_monotonic() - start);
}

static int measure_turn(const struct measurement *m, double *ret)
{
	double rounds[TURN_ROUNDS] = { 0 };
	struct spinner s = { 0 };
	pthread_t thread;
	int r = 0;

	if (pthread_create(&thread, NULL, spin, &s))
		return -EAGAIN;
	watch_usual(&s);
	for (int i = 0; !r && i < TURN_ROUNDS; i++)
		r = turn_round(m, &s, &rounds[i]);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	qsort(rounds, TURN_ROUNDS, sizeof(*rounds), compare);
	/* Of one site the noise is not shared out among many, and all that it can do is add. */
	if (!r)
		*ret = MAX(rounds[m->link == SESSION_LINK_PERF ? 1 : TURN_ROUNDS / 2], 0.0);
	return r;
}

static void *pass_once(void *block)
{
	cost_pass(block);
	return NULL;
}

/*
 * Does a link for one process fire in its other threads? Not before "bpf: Fix multi-uprobe PID
 * filtering logic" (commit 46ba0e49b642, in v6.10, and wherever that was backported to).
 */
static int measure_threads(const struct measurement *m, bool *ret)
{
	static uint64_t block[8] = { 1 };
	uint64_t before, after;
	pthread_t thread;
	int r = attach(m, LINKS_ON_EMPTY, SITE_EMPTY);

	if (r)
		return r;
	before = m->bpf->bss->empty_hits;
	if (pthread_create(&thread, NULL, pass_once, block))
		r = -EAGAIN;
	else
		pthread_join(thread, NULL);
	after = m->bpf->bss->empty_hits;
	if (!r)
		*ret = after > before;
	return r ? r : links_clear(m->links, LINKS_PASSING);
}

static void unload(struct measurement *m)
{
	links_freep(&m->links);
	if (m->bpf)
		programs_free(m->bpf, &m->ring);
	m->bpf = NULL;
}

static int load(struct measurement *m)
{
	int r = programs_open(m->link, RING_RECORDS, &m->bpf);

	if (r)
		return r;
	m->bpf->rodata->pool_mask = UINT64_MAX;
	r = programs_load(m->bpf, &m->ring);
	if (!r)
		r = programs_links(m->bpf, m->link, &m->links);
	if (r)
		unload(m);
	return r;
}

static int measure_all(struct measurement *m, struct cost *cost)
{
	int r = load(m);

	if (r)
		return r;
	m->bpf->bss->enabled = 1;
	r = measure_one(m, LINKS_ON_EMPTY, SITE_EMPTY, &cost->empty_ns);
	if (!r)
		r = measure_one(m, LINKS_ON_SITE, SITE_BLOCK, &cost->alloc_ns);
	if (!r)
		r = measure_one(m, LINKS_ON_SITE, SITE_PAGE, &cost->page_ns);
	if (!r)
		r = measure_one(m, LINKS_ON_SITE, SITE_FREE, &cost->free_ns);
	if (!r)
		r = measure_one(m, LINKS_ON_FRESH, SITE_OPENING, &cost->stepped_ns);
	if (!r)
		r = measure_one(m, LINKS_ON_FRESH, SITE_FRESH, &cost->fresh_ns);
	if (!r)
		r = measure_threads(m, &cost->address_space_filter);
	if (!r)
		r = measure_turn(m, &cost->turn_ns);
	cost->link = m->link;
	cost->close_ns = m->close_ns;
	unload(m);
	return r;
}

int cost_measure(enum session_link link, struct cost *ret, struct error *err)
{
	struct measurement m = { .link = link == SESSION_LINK_AUTO ? SESSION_LINK_MULTI : link };
	struct cost cost = { 0 };
	int r = own_offset(&m.offset);

	if (r)
		return error_set(err, -r, EXIT_INTERNAL,
				 "cannot find our own code in /proc/self/maps");
	r = measure_all(&m, &cost);
	if (r == -EINVAL && link == SESSION_LINK_AUTO) {
		m.link = SESSION_LINK_PERF;
		r = measure_all(&m, &cost);
	}
	if (r == -EPERM || r == -EACCES)
		return error_set(err, -r, EXIT_NO_PERMISSION, "cannot use BPF: %s",
				 kernel_rights_fix());
	if (r)
		return error_set(err, -r, EXIT_UNSUPPORTED,
				 "cannot probe ourselves: %s (see pymemtop doctor)", strerror(-r));
	*ret = cost;
	return 0;
}

int cost_recall(enum session_link link, struct cost *ret, struct error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct {
		struct cost cost;
		uint64_t at_ns;
	} kept[SESSION_LINK_PERF + 1];
	uint64_t now;
	int r = 0;

	/* Two that measure at the same time would measure each other. */
	pthread_mutex_lock(&lock);
	now = clock_monotonic();
	if (!kept[link].at_ns || now - kept[link].at_ns > KEPT_NS) {
		r = cost_measure(link, &kept[link].cost, err);
		kept[link].at_ns = r ? 0 : clock_monotonic();
	}
	if (!r)
		*ret = kept[link].cost;
	pthread_mutex_unlock(&lock);
	return r;
}

static bool is_under_seccomp(const struct process *proc)
{
	_cleanup_free_ char *text = NULL;
	const char *line;
	size_t len;

	if (process_read_file(proc, "status", STATUS_MAX, &text, &len) < 0)
		return false;
	line = strstr(text, "\nSeccomp:");
	return line && atoi(line + strlen("\nSeccomp:"));
}

/* The child: once it may go on, it runs over the probe with no system call left but exit. */
static void __attribute__((noreturn)) pass_sandboxed(int go)
{
	static const uint64_t block[8] = { 1 };
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) == 1 && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	    !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		cost_pass(block);
	for (;;)
		syscall(SYS_exit, 0);
}

/* 0 where the child lived through it. */
static int try_sandboxed(struct measurement *m, int go_read, int go_write)
{
	int r, status = 0;

	m->pid = fork();
	if (m->pid < 0)
		return -errno;
	if (!m->pid)
		pass_sandboxed(go_read);
	r = attach(m, LINKS_ON_FRESH, SITE_FRESH);
	if (write(go_write, "", 1) != 1 && !r)
		r = -errno;
	while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!r)
		r = links_clear(m->links, LINKS_PASSING);
	if (r)
		return r;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ENOTSUP;
}

int cost_check_seccomp(const struct process *proc, enum session_link link, struct error *err)
{
	struct measurement m = { .link = link };
	int go[2], r;

	if (!is_under_seccomp(proc))
		return 0;
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	r = own_offset(&m.offset);
	if (!r)
		r = load(&m);
	if (!r)
		r = try_sandboxed(&m, go[0], go[1]);
	unload(&m);
	close(go[0]);
	close(go[1]);
	if (!r)
		return 0;
	return error_set(err, -r, EXIT_UNSUPPORTED,
			 "cannot trace pid %d, which is under seccomp: this kernel %s (Linux 6.14 "
			 "mends it; use --events off)",
			 proc->pid,
			 r == -ENOTSUP ? "would end it at a return probe"
				       : "did not let us try whether that ends it");
}

/*
 * Perf-event links are closed one after another, each with a grace period of its own. Closing one
 * for many places waits as long, but hits do not go on meanwhile: pymemtop-links sees to that.
 */
uint64_t cost_exit_ns(const struct cost *cost, size_t sites)
{
	uint64_t took = 0;

	if (cost->link == SESSION_LINK_PERF && !links_trace_usable())
		took = cost->close_ns * sites;
	return MAX(took, EXIT_GUESS_NS);
}

double cost_turn_ns(const struct cost *cost, size_t sites)
{
	return MAX(cost->turn_ns, TURN_LEAST_NS) * TURN_FACTOR * (double)sites;
}

double cost_hit_ns(const struct cost *cost, const struct plan *plan)
{
	bool reads = !plan_count(plan, SITE_BLOCK, false); /* else nearly all are such */

	return ((reads ? cost->page_ns : cost->alloc_ns) + cost->free_ns) / 2 * REAL_FACTOR;
}

double cost_site_ns(const struct cost *cost, const struct site *site)
{
	double ns = cost->alloc_ns;

	if (site->role == SITE_FREE || site->role == SITE_DYING)
		ns = cost->free_ns;
	else if (site->role == SITE_PAGE || site->role == SITE_POOL || site->role == SITE_LARGE)
		ns = cost->page_ns;
	return site->emulated ? ns : MAX(ns, cost->stepped_ns);
}

double cost_opening_ns(const struct cost *cost, const struct plan *plan)
{
	double price = 0;

	for (size_t i = 0; i < plan->fresh.count; i++) {
		const struct site *site = &plan->fresh.list[i];
		double own = site->role == SITE_FRESH ? cost->fresh_ns : cost->page_ns;

		if (!site->emulated)
			own = MAX(own, cost->stepped_ns);
		price = MAX(price, own);
	}
	return price * REAL_FACTOR;
}
