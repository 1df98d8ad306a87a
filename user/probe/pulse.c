/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/pulse.h"

#include "base/util.h"

#define SHARE_OF_LIMIT 0.25
#define BUCKET_SECONDS 4.0

void pulse_init(struct pulse *pulse, double limit, double price_ns, uint64_t now_ns)
{
	double share = limit * SHARE_OF_LIMIT;

	*pulse = (struct pulse){
		.share = share,
		.price_ns = price_ns,
		.capacity_ns = share * BUCKET_SECONDS * 1e9,
		.tokens_ns = share * BUCKET_SECONDS * 1e9,
		.on = true,
		.last_ns = now_ns,
	};
}

bool pulse_step(struct pulse *pulse, uint64_t now_ns, uint64_t hits, bool seen)
{
	uint64_t elapsed = now_ns > pulse->last_ns ? now_ns - pulse->last_ns : 0;

	pulse->all_ns += elapsed;
	pulse->seen_ns += seen ? elapsed : 0;
	pulse->tokens_ns =
		MIN(pulse->tokens_ns + (double)elapsed * pulse->share, pulse->capacity_ns) -
		(double)(hits - pulse->last_hits) * pulse->price_ns;
	pulse->last_ns = MAX(now_ns, pulse->last_ns);
	pulse->last_hits = hits;
	/* Half a bucket on and off: turning it costs the target little, but not nothing. */
	pulse->on = pulse->tokens_ns > (pulse->on ? 0 : pulse->capacity_ns / 2);
	return pulse->on;
}

double pulse_coverage(const struct pulse *pulse)
{
	return pulse->all_ns ? (double)pulse->seen_ns / (double)pulse->all_ns : 1;
}

void pulse_restart(struct pulse *pulse)
{
	pulse->all_ns = pulse->seen_ns = 0;
}
