/* SPDX-License-Identifier: BSD-2-Clause */
/* The descendants of a process. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Children of @root, their children and so on, parents before children, at most @max; *ret_count is
 * how many were found. What begins or ends meanwhile may be missing. 0, or negative errno of /proc.
 */
int children_find(pid_t root, pid_t *ret, size_t max, size_t *ret_count);
