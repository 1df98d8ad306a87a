/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/firsts.h"

#include "base/util.h"

#define SAVED_SECONDS 5 /* so much of the share may be used at once */
#define GUESS_NS 20e6
#define LEARN 0.2

static double firsts_most(const struct firsts *f)
{
	return f->share * SAVED_SECONDS * NSEC_PER_SEC;
}

struct firsts firsts_new(double share, uint64_t now_ns)
{
	struct firsts f = { .share = share, .mean_ns = GUESS_NS, .now_ns = now_ns };

	f.saved_ns = firsts_most(&f);
	return f;
}

bool firsts_may(struct firsts *f, uint64_t now_ns)
{
	if (now_ns > f->now_ns) {
		f->saved_ns += f->share * (double)(now_ns - f->now_ns);
		f->saved_ns = MIN(f->saved_ns, firsts_most(f));
		f->now_ns = now_ns;
	}
	return !f->share || f->saved_ns > (double)f->under_way * f->mean_ns;
}

void firsts_begin(struct firsts *f)
{
	f->under_way++;
}

void firsts_end(struct firsts *f, uint64_t cpu_ns)
{
	f->under_way--;
	/* One that is huge does not hold the others off for longer than that. */
	f->saved_ns = MAX(f->saved_ns - (double)cpu_ns, -firsts_most(f));
	f->mean_ns += LEARN * ((double)cpu_ns - f->mean_ns);
}
