/* SPDX-License-Identifier: BSD-2-Clause */
/* The processes that the picture is the sum of, one line each. */
#include "base/util.h"
#include "tui/screen.h"
#include "view/cells.h"

/* One line; narrow screens leave the objects and the free memory out. */
static void write_line(struct page *page, const char *const cells[7], enum canvas_style style)
{
	static const struct {
		int width;
		size_t from; /* columns of the terminal */
	} columns[] = { { 7, 0 }, { 10, 0 }, { 10, 0 }, { 10, 0 }, { 10, 100 }, { 10, 80 } };
	char line[256];
	int len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (page->canvas.width >= columns[i].from)
			len += snprintf(line + len, sizeof(line) - (size_t)len, " %*s",
					columns[i].width, cells[i]);
	page_line(page, style, " %s  %s", line, cells[ARRAY_SIZE(columns)]);
}

void screen_processes_write(struct page *page)
{
	static const char *const titles[] = { "PID",  "RSS",	 "PSS",	   "PYTHON",
					      "FREE", "OBJECTS", "COMMAND" };
	const struct picture *pic = page->state->shown;

	write_line(page, titles, CANVAS_TITLE);
	for (size_t i = 0; i < pic->members_count; i++) {
		const struct picture_member *m = &pic->members[i];
		char pid[16], rss[CELLS_MAX], share[CELLS_MAX], live[CELLS_MAX], unused[CELLS_MAX],
			objects[CELLS_MAX], command[512];
		const char *const cells[] = { pid,
					      cells_size(rss, m->rss_bytes),
					      cells_size(share, m->share_bytes),
					      cells_size(live, m->python_bytes),
					      cells_size(unused, m->free_bytes),
					      cells_count(objects, m->objects),
					      command };

		snprintf(pid, sizeof(pid), "%d", m->pid);
		snprintf(command, sizeof(command), "%s%s", m->ended ? "(ended) " : "",
			 m->cmdline ? m->cmdline : "");
		write_line(page, cells, m->ended ? CANVAS_DIM : CANVAS_PLAIN);
	}
	page->y++;
	if (pic->members_count > 1)
		page_text(page, 2,
			  "The other screens show the sum. PSS: memory that several processes map "
			  "is divided among them, so that the sum counts it once. Objects are "
			  "counted in each process.");
	else
		page_text(page, 2,
			  "One process. With -s its children are shown together with it, as one "
			  "service.");
}
