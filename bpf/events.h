/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The seam between the BPF programs and user space: the only header that both include.
 *
 * Records are all of one size and never change their meaning; a new need is a new kind with a new
 * number. They lie in an array that both sides map, used as a ring: a record costs the target a few
 * stores, where a BPF ring buffer would cost it two calls. Their order is the order of the
 * operations: pymalloc is only entered with the GIL held, and every record is placed by the thread
 * that holds it. Free-threaded builds have threads that place theirs at the same time, but those of
 * one block keep their order all the same: see user/probe/mipages.h.
 */
#pragma once

#ifndef __bpf__
#include <linux/types.h> /* the programs have these from vmlinux.h */
#endif

#define EVENTS_VERSION 2

/* Numbers are never reused. */
enum event_kind {
	EVENT_ALLOC = 1,       /* a block of a pool, or of a mimalloc page */
	EVENT_ALLOC_LARGE = 2, /* over 512 bytes, or 0: from libc's malloc or calloc */
	EVENT_FREE = 3,	       /* either of the two; about to be freed, content still whole */
	EVENT_MOVE = 4,	       /* libc's realloc of a large block; old == new when it stayed */
	EVENT_GROW = 5,	       /* pymalloc opened a pool */
};

/* Flags of EVENT_FREE: the reference count of an object behind 0, 16 or 32 bytes of pre-header is
 * 0, or 1 where realloc has moved it, and its type is the first, second or third word. */
#define EVENT_FREE_DEAD_0 (1u << 0)
#define EVENT_FREE_DEAD_16 (1u << 1)
#define EVENT_FREE_DEAD_32 (1u << 2)

/* The first word of a record, and the last that is written. @site: index into the plan's sites. */
union event_word {
	struct {
		__u8 kind;
		__u8 flags;
		__u16 site;
		__u32 turn; /* EVENT_TURN of its place: tells a new record from what was there */
	};
	__u64 word;
};

/* Of the record with number @at, counted from 0. */
#define EVENT_TURN(at) ((__u32)(at) + 1)

struct event {
	union event_word head;
	__u64 addr; /* ALLOC, LARGE, FREE: block. MOVE: new. GROW: pool */
	union {
		__u64 size; /* ALLOC: bytes of the block, 0: as its pool says. GROW: size class */
		struct {
			__u64 size;  /* bytes asked for; 0: not known */
			__u64 chunk; /* the word in front of the block: glibc's chunk size and
					flags; 0: unreadable */
			__u64 old;   /* MOVE */
		} large;	     /* LARGE and MOVE */
		__u64 types[3]; /* FREE: the words at 8, 24 and 40 of the content (free-threaded: at
				   24 and 40), which begins at addr or behind debug hooks; 0:
				   unreadable */
	};
};

_Static_assert(sizeof(union event_word) == 8, "written at once");
_Static_assert(sizeof(struct event) == 40, "the wire format");

/* So many places of the ring stay free: for threads that place a record at the same time, one a
 * CPU. */
#define RING_SLACK 256

/* Every way to lose or to misread a record, each with its own counter. */
enum event_count {
	EVENTS_RECORDS,	   /* written to the ring; filled in by the session */
	EVENTS_LOST_RING,  /* ring full */
	EVENTS_LOST_POOL,  /* a pool header could not be read */
	EVENTS_LOST_STACK, /* a word of the target's stack could not be read */
	EVENTS_LOST_SITE,  /* a cookie that makes no sense */
	EVENTS_LOST_PAIR,  /* a realloc of a large block of which no end was seen */
	EVENTS_SLOW, /* not a loss: pool empty, the record comes from the fresh pool or from libc */
	EVENTS_FAILED,	     /* not a loss: the allocation returned NULL */
	EVENTS_PARTIAL_FREE, /* not a loss: the last words of a block at the end of a mapping were
				unreadable */
	EVENTS_CHECKED,	     /* self-check: predicted addresses that were compared */
	EVENTS_MISPREDICTED, /* self-check: and proved wrong */
	EVENTS_HITS,	     /* of all sites: what the target pays for; summed by the session */
	EVENTS_LOST_WINDOW,  /* times that a window ended early: nobody knows what came then */
	EVENTS_COUNT_MAX,
};

/* What a probe site is for; part of its cookie. */
enum site_role {
	SITE_POOL = 1,	  /* `pool == pool->nextpool?` register: pool */
	SITE_LARGE = 2,	  /* `result == NULL?` behind libc's malloc or calloc; register: result */
	SITE_FREE = 3,	  /* in a free, not NULL; register: block */
	SITE_REALLOC = 4, /* in a realloc; register: old block */
	SITE_FRESH = 5,	  /* return of the function that opens a pool */
	SITE_LIBC_REALLOC = 6,	   /* entry of libc's realloc */
	SITE_LIBC_REALLOC_END = 7, /* its return */
	SITE_CHECK = 8,	   /* self-check: register holds the block that is really handed out */
	SITE_EMPTY = 9,	   /* does nothing: what a hit costs */
	SITE_BLOCK = 10,   /* `was it the pool's last free block?` register: the block handed out */
	SITE_OPENING = 11, /* a pool is set up; register: pool; size_reg: its size class */
	SITE_DYING = 12,   /* in the debug hooks' free; register: what is behind their header */
	SITE_PAGE = 13,	   /* `is the mimalloc page's list empty?` register: its first block;
			      size_reg + disp: where the size of its blocks is */
};

/* What debug hooks keep in front of a block's content (Objects/obmalloc.c, _PyMem_DebugRawAlloc).
 */
#define EVENTS_HOOK_BYTES 16

#define SITES_MAX 1024
#define SITE_INDEX_FRESH (SITES_MAX - 2) /* all places where pools are opened */
#define SITE_NO_REG 0xff

/* A value at a site: a register (numbered as x86 encodes them), or a word relative to one. */
struct site_cookie {
	__u16 site;
	__u8 role;
	__u8 reg;      /* 0..15, or SITE_NO_REG */
	__u8 size_reg; /* LARGE: bytes asked for, or SITE_NO_REG. PAGE: the page */
	__u8 flags;
	__s16 disp; /* with SITE_IN_MEMORY the value is the word at reg + disp */
};

#define SITE_IN_MEMORY (1u << 0)
#define SITE_LINKED                                                                                \
	(1u << 1)		 /* FREE: the first word of the block is overwritten already.      \
				    REALLOC: keep what it is for such a free */
#define SITE_FIRST (1u << 2)	 /* CHECK: comes before what it checks */
#define SITE_SAME_SIZE (1u << 3) /* OPENING: `did the pool serve the same size before?` */
#define SITE_WIDE (1u << 4)	 /* PAGE: the size has 8 bytes, else 4 */

union site_word {
	struct site_cookie c;
	__u64 word;
};

_Static_assert(sizeof(union site_word) == 8, "fits a BPF cookie");

/*
 * How long the target may pay. pymemtop extends it, pymemtop-links (user/probe/links_hold.h) ends
 * what is not extended; the programs do not look at it. In memory that outlives either of the two.
 */
struct events_lease {
	__u64 until_ns;	    /* monotonic; all probes go then */
	__u64 hits_most;    /* an open window ends at so many, as events_weigh() counts them */
	__u64 end_ns;	    /* and at this time (monotonic) */
	__u64 fresh_extra;  /* how much dearer a hit is where pools are opened, in 1/256 of a hit */
	__u64 ended_ns;	    /* when recording ended in the last window; 0: it is open */
	__u64 closing_ns;   /* when it was begun to be closed, which takes a while */
	__u64 closing_hits; /* hits then, weighed */
	__u64 growth_ended; /* the probe where pools are opened was taken off too */
	__u64 keep;	    /* when a window ends, what is hit little keeps its probes */
	__u64 kept_most;    /* until it is hit so often between two extensions of the lease */
	__u64 kept_ended;   /* they were taken off: by the lease, or by hits between windows */
};

/* A window's beginning or end, as pymemtop-links sees it. @waited_ns: of all threads of the target,
 * for a CPU; UINT64_MAX: not known; @slices: how often they got one. @is_running:
 * something was hit right there. */
struct events_moment {
	__u64 ns, cpu_ns, waited_ns, slices, is_running;
	__u64 hits[SITES_MAX];
};

static inline __u64 events_weigh(__u64 hits, __u64 fresh_hits, __u64 fresh_extra)
{
	return hits + ((fresh_hits * fresh_extra) >> 8);
}
