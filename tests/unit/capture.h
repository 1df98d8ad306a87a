/* SPDX-License-Identifier: BSD-2-Clause */
/* What a command prints, caught: stdout and stderr go to temporary files between begin and end. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct capture {
	FILE *files[2];
	int saved[2];
	char text[2][1 << 20]; /* stdout, stderr */
};

static inline void capture_begin(struct capture *c)
{
	FILE *const streams[2] = { stdout, stderr };

	for (int i = 0; i < 2; i++) {
		fflush(streams[i]);
		c->files[i] = tmpfile();
		c->saved[i] = dup(fileno(streams[i]));
		dup2(fileno(c->files[i]), fileno(streams[i]));
	}
}

static inline void capture_end(struct capture *c)
{
	FILE *const streams[2] = { stdout, stderr };

	for (int i = 0; i < 2; i++) {
		fflush(streams[i]);
		dup2(c->saved[i], fileno(streams[i]));
		close(c->saved[i]);
		rewind(c->files[i]);
		c->text[i][fread(c->text[i], 1, sizeof(c->text[i]) - 1, c->files[i])] = '\0';
		fclose(c->files[i]);
	}
}
