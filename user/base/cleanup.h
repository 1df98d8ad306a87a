/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ownership that a reader can check in one function: attributes release on every way out,
 * TAKE_* hands ownership on. File descriptors that are not open are -1.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		typeof(p) _taken = (p);                                                            \
		(p) = NULL;                                                                        \
		_taken;                                                                            \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int _taken = (fd);                                                                 \
		(fd) = -1;                                                                         \
		_taken;                                                                            \
	})

/* Defines `static inline void NAMEp(TYPE **p)` which calls fn(*p): for cleanup(NAMEp). */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline void fn##p(type **p) /* NOLINT(bugprone-macro-parentheses): a type */        \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
		*p = NULL;                                                                         \
	}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

#define _cleanup_free_ cleanup(cleanup_free)
#define _cleanup_close_ cleanup(cleanup_close)
#define _cleanup_fclose_ cleanup(cleanup_fclose)
