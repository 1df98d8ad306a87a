/* SPDX-License-Identifier: BSD-2-Clause */
/* The processes that the picture is the sum of, one line each. */
#include "base/util.h"
#include "tui/screen.h"
#include "view/cells.h"

/* One line; narrow screens leave the free memory out. */
static void write_line(struct page *page, const char *const cells[6], enum canvas_style style)
{
	bool wide = page->canvas.width >= 80;

	page_line(page, style, "  %7s %10s %10s%s%*s %10s  %s", cells[0], cells[1], cells[2],
		  wide ? " " : "", wide ? 10 : 0, wide ? cells[3] : "", cells[4], cells[5]);
}

void screen_processes_write(struct page *page)
{
	static const char *const titles[] = {
		"PID", "RSS", "PYTHON", "FREE", "OBJECTS", "COMMAND"
	};
	const struct picture *pic = page->state->shown;

	write_line(page, titles, CANVAS_TITLE);
	for (size_t i = 0; i < pic->members_count; i++) {
		const struct picture_member *m = &pic->members[i];
		char pid[16], rss[CELLS_MAX], live[CELLS_MAX], unused[CELLS_MAX],
			objects[CELLS_MAX], command[512];
		const char *const cells[] = { pid,
					      cells_size(rss, m->rss_bytes),
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
			  "The other screens show the sum. RSS counts memory that processes share "
			  "once for each of them.");
	else
		page_text(page, 2,
			  "One process. With -s its children are shown together with it, as one "
			  "service.");
}
