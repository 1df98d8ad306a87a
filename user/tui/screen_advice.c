/* SPDX-License-Identifier: BSD-2-Clause */
/* What to change in the code, the most bytes first. */
#include "base/util.h"
#include "tui/screen.h"
#include "view/cells.h"

static int by_saving(const void *left, const void *right)
{
	const struct picture_advice *a = *(const struct picture_advice *const *)left;
	const struct picture_advice *b = *(const struct picture_advice *const *)right;
	int order = (a->saves_bytes < b->saves_bytes) - (a->saves_bytes > b->saves_bytes);

	return order ? order : (a > b) - (a < b);
}

void screen_advice_write(struct page *page)
{
	const struct picture *pic = page->state->shown;
	_cleanup_free_ const struct picture_advice **list =
		calloc(pic->advice_count + 1, sizeof(*list));
	char size[CELLS_MAX], objects[CELLS_MAX], confidence[CELLS_MAX];

	page_heading(page, "Advice, the most bytes first");
	if (!pic->advice_count || !list) {
		page_text(page, 2,
			  pic->has_facts ? "None: nothing was found that would save much."
					 : "None: the facts that advice needs were not collected.");
		return;
	}
	for (size_t i = 0; i < pic->advice_count; i++)
		list[i] = &pic->advice[i];
	qsort(list, pic->advice_count, sizeof(*list), by_saving);
	for (size_t i = 0; i < pic->advice_count; i++) {
		page_line(page, CANVAS_BOLD, "%10s  %s  %s", cells_size(size, list[i]->saves_bytes),
			  list[i]->kind ? list[i]->kind : "-", list[i]->type ? list[i]->type : "");
		page_text(page, 12, list[i]->detail ? list[i]->detail : "");
		page_line(page, CANVAS_DIM, "            %s objects, confidence %s",
			  cells_count(objects, list[i]->objects),
			  cells_ratio(confidence, list[i]->confidence));
	}
}
