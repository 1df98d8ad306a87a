/* SPDX-License-Identifier: BSD-2-Clause */
/* Which Python a process runs, and what that is known from. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "target/elf.h"
#include "target/maps.h"
#include "target/memory.h"
#include "target/process.h"

#include <stdbool.h>
#include <stdint.h>

/* CPython's own PY_VERSION_HEX: 0x030b07f0 is 3.11.7 final. */
#define PYTHON_HEX(major, minor, micro)                                                            \
	(((uint32_t)(major) << 24) | ((uint32_t)(minor) << 16) | ((uint32_t)(micro) << 8))

/* What the version is known from; doctor prints it. */
enum python_evidence {
	PYTHON_EVIDENCE_NONE,
	PYTHON_EVIDENCE_DEBUG_OFFSETS,	/* _Py_DebugOffsets.version, 3.13+ */
	PYTHON_EVIDENCE_PY_VERSION,	/* the exported constant Py_Version, 3.11+ */
	PYTHON_EVIDENCE_VERSION_STRING, /* the text that Py_GetVersion() returns, found in .rodata
					 */
};

/* A symbol of the interpreter by its address in the target. */
struct python_symbol {
	char *name;
	uint64_t addr;
};

struct python {
	uint32_t hex; /* PY_VERSION_HEX; for a version string without serial the low byte is 0xf0 */
	char version[24]; /* "3.11.7", "3.15.0a2" */
	enum python_evidence evidence;
	bool free_threaded;
	bool debug;	    /* --with-pydebug */
	bool stripped;	    /* no .symtab */
	bool is_static;	    /* the interpreter is in the executable, not in a libpython */
	bool initialized;   /* _PyRuntime holds pointers to memory that was allocated at run time */
	int runtimes_count; /* images that export _PyRuntime; more than one is possible (ctypes,
			       embedders) */

	struct elf
		*image; /* the file that holds the interpreter; owned; NULL for a captured heap */
	const struct mapping *map; /* its first mapping; points into maps; NULL when not known */
	struct maps *maps;	   /* as read at that time; owned */
	uint64_t bias;		   /* file address + bias = address in the target */
	uint64_t runtime;	   /* address of _PyRuntime in the target */
	char *path;		   /* of the image as the target names it; sanitised */

	struct python_symbol *symbols; /* of a captured heap, in place of the image; owned */
	size_t symbols_count;
};

/*
 * Finds the interpreter of @proc. With EXIT_UNSUPPORTED: -ENOEXEC where it is not a Python ("pid 12
 * (bash) is not a Python: no mapped file exports _PyRuntime"), -ENOTSUP where it is one but another
 * than CPython, or of a version that cannot be told. -EPERM, -ESRCH.
 *
 * All mapped program files are candidates, those named like a Python first. With several _PyRuntime
 * mapped (a static python that has loaded a libpython, say), the one in use is taken: the one that
 * holds most pointers to writable memory outside the files. Such memory is handed out at run time
 * only, so a runtime that nobody has started has none, whatever the version.
 */
int python_find(const struct process *proc, struct memory *mem, struct python **ret,
		struct error *err);

void python_free(struct python *py);
DEFINE_CLEANUP(struct python, python_free)
#define _cleanup_python_ cleanup(python_freep)

/* Address in the target of a symbol of the interpreter's image (or of a captured heap's list), or
 * 0. */
uint64_t python_symbol(const struct python *py, const char *name);

const char *python_evidence_name(enum python_evidence evidence);
