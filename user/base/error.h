/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors as a user reads them: one line that says what failed, on what, and what to do.
 *
 * Lower layers return a negative errno and fill an optional struct error; they never print.
 * Only the edge (cli/, daemon/) prints, once.
 */
#pragma once

#include <stdbool.h>

/* The contract's exit codes; docs/json.md and the man page list them. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_INTERNAL = 1,
	EXIT_USAGE = 2,
	EXIT_NO_PROCESS = 3,
	EXIT_NO_PERMISSION = 4,
	EXIT_UNSUPPORTED = 5,
	EXIT_PARTIAL = 6,
	EXIT_THRESHOLD = 7,
};

struct error {
	enum exit_code exit_code;
	char text[320];
};

/*
 * Fills @err (may be NULL) unless an earlier, deeper cause already did, and returns -errnum.
 * @errnum: positive errno. @code: what the program should exit with.
 * Use: `return error_set(err, ESRCH, EXIT_NO_PROCESS, "no process %d", pid);`
 */
int error_set(struct error *err, int errnum, enum exit_code code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* True once error_set() has filled @err. A zeroed struct is empty. */
bool error_is_set(const struct error *err);
