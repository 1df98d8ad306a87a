/* SPDX-License-Identifier: BSD-2-Clause */
/* One line on stderr for work that takes long; nothing where stderr is not a terminal. */
#pragma once

/* Shows @text now; it replaces what was shown. */
void progress_show(const char *text);

/* Shows @text once a second has passed. @text must live until progress_end(). */
void progress_begin(const char *text);

/* Takes the line away. */
void progress_end(void);
