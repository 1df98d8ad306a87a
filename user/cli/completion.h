/* SPDX-License-Identifier: BSD-2-Clause */
/* Completion for shells, made of the tables of commands and options. */
#pragma once

#include <stdio.h>

/* @shell: bash, zsh or fish. 0, -EINVAL for another, -EIO. */
int completion_write(FILE *out, const char *shell);
