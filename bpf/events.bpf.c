/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Allocations and frees of one CPython, seen at instructions that user/probe/ has chosen.
 *
 * A small block is the head of the free list of the pool in use (Objects/obmalloc.c,
 * pymalloc_alloc): its address is in a register when it is popped, or in the pool's header before.
 * Reading the target's memory costs a quarter of a hit, whatever is read. Each program does the
 * least it can: a hit happens inside the target's allocator, with its GIL held.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before load. */
const volatile __u32 target_tgid = 0; /* 0: the link itself filters by address space */
const volatile __u64 pool_mask = 0;   /* ~(pool_size - 1) */
const volatile __u32 refcount_mask_high =
	0; /* upper half of the reference count word that counts */

const volatile __u32 raw_hook =
	0; /* debug hooks of libc's malloc as well: what lies in front of a large block */

/* Free-threaded: two counts behind the owner, and the type behind them (Include/object.h). */
const volatile bool split_refcount = false;

/* 3.11 and 3.12: an instance's values have in front of them the order in which they were set. */
const volatile bool values_prefix = false;

/* Debug hooks wipe what is freed: SITE_DYING comes first. */
const volatile bool hooked = false;

const volatile bool self_check = false;

/* 5.15: a link says of its place what a program must know; before, the place's address does. */
const volatile bool has_cookie = true;
/* 5.12: addition that tells what was before. Without, only who holds the GIL may place a record. */
const volatile bool has_fetch = true;

/* Set while attached. Records are written between enabled = 1 and 0, so that no half-attached
 * window counts. */
volatile __u32 enabled = 0;
volatile __u32 growth_enabled = 0;

/* Places of the ring minus 1. */
const volatile __u32 ring_mask = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event);
} ring SEC(".maps");

/* Without cookies: by address in the target's memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64);
} places SEC(".maps");
/* And of what runs where a function has returned to; 0: on_fresh does not. */
__u64 fresh_cookie, return_cookie;

__u64 produced; /* records so far */
__u64 consumed; /* of them; written by user space */

/* Between pymemtop and pymemtop-links, which share this memory. */
struct events_lease lease;
struct events_moment begun, ended; /* of the last window, or sample */

__u64 counts[EVENTS_COUNT_MAX];
__u64 hits[SITES_MAX];

/* The front of CPython's struct pool_header, alike from 3.8 to 3.15 (Objects/obmalloc.c,
 * pycore_obmalloc.h). */
struct pool_header {
	__u32 count;
	__u32 pad;
	__u64 freeblock;
	__u64 next;
	__u64 prev;
	__u32 arena_index;
	__u32 size_index;
};

/* It ends with two more words of 4 bytes, and blocks begin behind it. */
#define POOL_OVERHEAD 48

/*
 * The realloc that is under way. One is enough: it runs with the GIL held from its first look at
 * the block until libc's realloc has returned.
 */
struct {
	__u64 old;
	__u64 size;
	__u32 tid;
	__u16 site;
	__u16 inside;	/* libc's realloc has been entered with this block */
	__u64 words[6]; /* its first, where the free to come finds them overwritten */
} pending;

/*
 * Blocks on their way through the debug hooks, which wipe them before they free them: their first
 * words. By thread, as free-threaded builds have several at a time; what two threads write to one
 * place is not believed.
 */
#define DYING_PLACES 64

struct {
	__u64 addr;
	__u64 words[6];
	__u64 pad;
} dying[DYING_PLACES];

typedef typeof(dying[0]) dying_place;

/* The self-check: what the first of two sites said of the block that is handed out. */
__u64 expected;

__u64 empty_hits;

#include "bpf/died.h"

#define X86_FLAGS_ZF 0x40

static __always_inline void count(__u32 which)
{
	__sync_fetch_and_add(&counts[which], 1);
}

/* One load at a fixed offset. Plain C would let clang join the cases into a computed one, which the
 * verifier refuses. */
#define REG(number, field)                                                                         \
	case number:                                                                               \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                              \
			     : "=r"(value)                                                         \
			     : "r"(ctx), "i"(__builtin_offsetof(struct pt_regs, field)));          \
		break;

/* @reg as x86 encodes registers. */
static __always_inline __u64 reg_read(struct pt_regs *ctx, __u8 reg)
{
	__u64 value = 0;

	switch (reg) {
		REG(0, ax)
		REG(1, cx)
		REG(2, dx)
		REG(3, bx)
		REG(4, sp)
		REG(5, bp)
		REG(6, si)
		REG(7, di)
		REG(8, r8)
		REG(9, r9)
		REG(10, r10)
		REG(11, r11)
		REG(12, r12)
		REG(13, r13)
		REG(14, r14)
		REG(15, r15)
	}
	return value;
}

/* A place in the ring, and its number. NULL: full. */
static __always_inline struct event *reserve(__u64 *ret_at)
{
	__u32 place;

	if (produced - consumed > ring_mask - RING_SLACK) {
		count(EVENTS_LOST_RING);
		return NULL;
	}
	*ret_at = has_fetch ? __sync_fetch_and_add(&produced, 1) : produced;
	if (!has_fetch)
		produced = *ret_at + 1;
	place = *ret_at & ring_mask;
	return bpf_map_lookup_elem(&ring, &place);
}

/* x86 keeps stores in their order: who sees the first word sees the rest. */
static __always_inline void submit(struct event *e, union event_word head, __u64 at)
{
	head.turn = EVENT_TURN(at);
	barrier();
	*(volatile __u64 *)&e->head.word = head.word;
}

static __always_inline void emit(__u8 kind, __u16 site, __u64 addr, __u64 size)
{
	struct event *e;
	__u64 at;

	e = reserve(&at);
	if (!e)
		return;
	e->addr = addr;
	e->size = size;
	submit(e, (union event_word){ .kind = kind, .site = site }, at);
}

static __always_inline int at_pool(struct pt_regs *ctx, struct site_cookie c, __u64 value)
{
	struct pool_header pool;

	if (ctx->flags & X86_FLAGS_ZF) {
		count(EVENTS_SLOW);
		return 0;
	}
	if (bpf_probe_read_user(&pool, sizeof(pool), (void *)value)) {
		count(EVENTS_LOST_POOL);
		return 0;
	}
	expected = pool.freeblock;
	emit(EVENT_ALLOC, c.site, pool.freeblock, (pool.size_index + 1) << 4);
	return 0;
}

/* A window may open, or have ended, between the two sites: then nothing was said of this block. */
static __always_inline void compare(__u64 block)
{
	if (!expected)
		return;
	count(EVENTS_CHECKED);
	if (block != expected)
		count(EVENTS_MISPREDICTED);
	expected = 0;
}

/* Nothing is read from the target: the size is in the pool's header, which user space knows. */
static __always_inline int at_block(struct site_cookie c, __u64 block)
{
	if (self_check)
		compare(block);
	emit(EVENT_ALLOC, c.site, block, 0);
	return 0;
}

/* The block leaves its page behind this branch, unless there is none. */
static __always_inline int at_page(struct pt_regs *ctx, struct site_cookie c, __u64 block)
{
	__u64 size = 0, from = reg_read(ctx, c.size_reg) + c.disp;
	long r;

	if (ctx->flags & X86_FLAGS_ZF) {
		count(EVENTS_SLOW);
		return 0;
	}
	if (c.flags & SITE_WIDE)
		r = bpf_probe_read_user(&size, 8, (void *)from);
	else
		r = bpf_probe_read_user(&size, 4, (void *)from);
	if (r) {
		count(EVENTS_LOST_POOL);
		return 0;
	}
	emit(EVENT_ALLOC, c.site, block, size);
	return 0;
}

static __always_inline __u64 chunk_read(__u64 addr)
{
	__u64 chunk = 0;

	bpf_probe_read_user(&chunk, sizeof(chunk), (void *)(addr - 8));
	return chunk;
}

static __always_inline int at_large(struct pt_regs *ctx, struct site_cookie c, __u64 addr)
{
	struct event *e;
	__u64 at, chunk;

	if (ctx->flags & X86_FLAGS_ZF) {
		count(EVENTS_FAILED);
		return 0;
	}
	if (c.flags & SITE_IN_MEMORY &&
	    bpf_probe_read_user(&addr, sizeof(addr), (void *)(addr + c.disp))) {
		count(EVENTS_LOST_STACK);
		return 0;
	}
	addr -= raw_hook;
	chunk = chunk_read(addr);
	e = reserve(&at);
	if (!e)
		return 0;
	e->addr = addr;
	e->large.size = c.size_reg == SITE_NO_REG ? 0 : reg_read(ctx, c.size_reg);
	e->large.chunk = chunk;
	submit(e, (union event_word){ .kind = EVENT_ALLOC_LARGE, .site = c.site }, at);
	return 0;
}

/* The smallest block has 16 bytes, and only the last of an arena has nothing mapped behind it. */
static __always_inline void words_read(__u64 *words, __u64 addr)
{
	if (bpf_probe_read_user(words, 48, (void *)addr)) {
		words[2] = words[3] = words[4] = words[5] = 0;
		bpf_probe_read_user(words, 16, (void *)addr);
		count(EVENTS_PARTIAL_FREE);
	}
}

static __always_inline dying_place *dying_of_thread(void)
{
	return &dying[bpf_get_current_pid_tgid() & (DYING_PLACES - 1)];
}

static __always_inline int at_dying(__u64 content)
{
	dying_place *place = dying_of_thread();

	if (!content)
		return 0;
	*(volatile __u64 *)&place->addr = 0;
	barrier();
	words_read(place->words, content);
	barrier();
	*(volatile __u64 *)&place->addr = content - EVENTS_HOOK_BYTES;
	return 0;
}

/* What the block at @addr was before it was wiped. */
static __always_inline bool dying_take(__u64 *words, __u64 addr)
{
	dying_place *place = dying_of_thread();

	if (*(volatile __u64 *)&place->addr != addr)
		return false;
	barrier();
	__builtin_memcpy(words, place->words, 48);
	barrier();
	if (*(volatile __u64 *)&place->addr != addr)
		return false;
	*(volatile __u64 *)&place->addr = 0;
	return true;
}

/* A large block has the header of the hooks of its own domain and that of the raw one; what is in
 * front of a small block is the end of another (PYMEM_FORBIDDENBYTE) or of a pool's header. */
static __always_inline bool hook_in_front(__u64 addr)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)(addr - 8));
	return word == 0xfdfdfdfdfdfdfd72; /* 'r' */
}

/* What the block at @addr, which realloc has moved, was before it was overwritten. */
static __always_inline bool moved_take(__u64 *words, __u64 addr)
{
	if (pending.old != addr || pending.inside ||
	    pending.tid != (__u32)bpf_get_current_pid_tgid())
		return false;
	__builtin_memcpy(words, pending.words, sizeof(pending.words));
	pending.old = 0;
	return true;
}

static __always_inline int at_free(struct site_cookie c, __u64 addr)
{
	union event_word head = { .kind = EVENT_FREE, .site = c.site };
	__u64 words[6], at;
	struct event *e;

	if (!addr)
		return 0;
	if (c.flags & SITE_LINKED && !hooked && moved_take(words, addr))
		c.flags &= ~SITE_LINKED;
	else if (!hooked || !dying_take(words, addr))
		words_read(words, addr);
	if (raw_hook && hook_in_front(addr))
		addr -= raw_hook;
	e = reserve(&at);
	if (!e)
		return 0;
	e->addr = addr;
	head.flags = split_refcount ? what_died_split(e, words) : what_died(e, words, c);
	submit(e, head, at);
	return 0;
}

static __always_inline int at_realloc(struct site_cookie c, __u64 old)
{
	if (pending.inside)
		count(EVENTS_LOST_PAIR); /* the one before never came back */
	pending.old = old;
	pending.tid = bpf_get_current_pid_tgid();
	pending.site = c.site;
	pending.inside = 0;
	if (c.flags & SITE_LINKED)
		words_read(pending.words, old);
	return 0;
}

/* Others call libc's realloc too, with and without the GIL: only the block we wait for, in its
 * thread, is ours. */
static __always_inline int at_libc_realloc(struct pt_regs *ctx)
{
	if (!pending.old || pending.inside || pending.old - raw_hook != ctx->di ||
	    pending.tid != (__u32)bpf_get_current_pid_tgid())
		return 0;
	pending.size = ctx->si;
	pending.inside = 1;
	return 0;
}

static __always_inline int at_libc_realloc_end(struct pt_regs *ctx)
{
	struct event *e;
	__u64 at, chunk;

	if (!pending.inside || pending.tid != (__u32)bpf_get_current_pid_tgid())
		return 0;
	pending.inside = 0;
	if (!ctx->ax) {
		count(EVENTS_FAILED);
		return 0;
	}
	chunk = chunk_read(ctx->ax);
	e = reserve(&at);
	if (!e)
		return 0;
	e->addr = ctx->ax;
	e->large.old = pending.old - raw_hook;
	e->large.size = pending.size;
	e->large.chunk = chunk;
	submit(e, (union event_word){ .kind = EVENT_MOVE, .site = pending.site }, at);
	pending.old = 0;
	return 0;
}

/* A fresh pool's header is set up when the function returns; its first block is the return value.
 */
static __always_inline int at_fresh(struct pt_regs *ctx, struct site_cookie c)
{
	__u64 addr = ctx->ax, base = addr & pool_mask;
	struct pool_header pool;

	if (!addr)
		return 0;
	if (bpf_probe_read_user(&pool, sizeof(pool), (void *)base)) {
		count(EVENTS_LOST_POOL);
		return 0;
	}
	emit(EVENT_GROW, c.site, base, pool.size_index);
	if (enabled)
		emit(EVENT_ALLOC, c.site, addr, (pool.size_index + 1) << 4);
	return 0;
}

/* A pool is taken into use in the midst of an allocation, as in 3.8. One that served the same size
 * keeps its free list; else the block is its first. */
static __always_inline int at_opening(struct pt_regs *ctx, struct site_cookie c)
{
	__u64 base = reg_read(ctx, c.reg), block = base + POOL_OVERHEAD;
	__u32 size_index;

	if (c.flags & SITE_SAME_SIZE) {
		struct pool_header pool;

		if (!(ctx->flags & X86_FLAGS_ZF))
			return 0;
		if (bpf_probe_read_user(&pool, sizeof(pool), (void *)base)) {
			count(EVENTS_LOST_POOL);
			return 0;
		}
		block = pool.freeblock;
		size_index = pool.size_index;
	} else {
		size_index = reg_read(ctx, c.size_reg);
	}
	emit(EVENT_GROW, c.site, base, size_index);
	if (enabled)
		emit(EVENT_ALLOC, c.site, block, ((__u64)size_index + 1) << 4);
	return 0;
}

static __always_inline int at_check(struct site_cookie c, __u64 block)
{
	if (c.flags & SITE_FIRST)
		expected = block;
	else
		compare(block);
	return 0;
}

static __always_inline int dispatch(struct pt_regs *ctx, struct site_cookie c)
{
	__u64 value = reg_read(ctx, c.reg);

	switch (c.role) {
	case SITE_BLOCK:
		return at_block(c, value);
	case SITE_POOL:
		return at_pool(ctx, c, value);
	case SITE_FREE:
		return at_free(c, value);
	case SITE_LARGE:
		return at_large(ctx, c, value);
	case SITE_DYING:
		return at_dying(value);
	case SITE_PAGE:
		return at_page(ctx, c, value);
	case SITE_REALLOC:
		return at_realloc(c, value);
	case SITE_LIBC_REALLOC:
		return at_libc_realloc(ctx);
	case SITE_LIBC_REALLOC_END:
		return at_libc_realloc_end(ctx);
	case SITE_CHECK:
		return at_check(c, value);
	}
	count(EVENTS_LOST_SITE);
	return 0;
}

/* Other threads come through libc's realloc without the GIL: hence the atomic sum. */
static __always_inline void hit(__u32 site)
{
	__sync_fetch_and_add(&hits[site & (SITES_MAX - 1)], 1);
}

static __always_inline bool is_target(void)
{
	return !target_tgid || bpf_get_current_pid_tgid() >> 32 == target_tgid;
}

/* 0, which is no role, where nothing is known of the place. */
static __always_inline __u64 cookie_here(struct pt_regs *ctx, __u64 at_return)
{
	__u64 address = ctx->ip, *known = &at_return;

	if (has_cookie)
		return bpf_get_attach_cookie(ctx);
	if (!at_return)
		known = bpf_map_lookup_elem(&places, &address);
	return known ? *known : 0;
}

SEC("uprobe")
int on_site(struct pt_regs *ctx)
{
	union site_word cookie = { .word = cookie_here(ctx, 0) };

	if (!is_target())
		return 0;
	hit(cookie.c.site); /* while a window opens or closes as well: the target pays for it all
			       the same */
	return enabled ? dispatch(ctx, cookie.c) : 0;
}

/* On its own link: it may stay attached while no window is open. */
SEC("uretprobe")
int on_fresh(struct pt_regs *ctx)
{
	union site_word cookie = { .word = cookie_here(ctx, fresh_cookie) };

	if (!(enabled | growth_enabled) || !is_target())
		return 0;
	hit(cookie.c.site);
	if (cookie.c.role == SITE_OPENING)
		return at_opening(ctx, cookie.c);
	if (cookie.c.role == SITE_FRESH)
		return at_fresh(ctx, cookie.c);
	count(EVENTS_LOST_SITE);
	return 0;
}

SEC("uretprobe")
int on_return(struct pt_regs *ctx)
{
	union site_word cookie = { .word = cookie_here(ctx, return_cookie) };

	if (!is_target())
		return 0;
	hit(cookie.c.site);
	return enabled ? dispatch(ctx, cookie.c) : 0;
}

/* What the least costs: the base line of every price. The counter shows whether it ran at all. */
SEC("uprobe")
int on_empty(struct pt_regs *ctx)
{
	empty_hits++;
	return 0;
}
