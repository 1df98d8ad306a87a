/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/smaps.h"

#include "base/util.h"

#include <errno.h>
#include <inttypes.h>

#define SMAPS_MAX 1000000

/* Adds an entry for a header line "start-end perms ...". False: the line is a field. */
static int smaps_header(struct smaps *smaps, const char *line, bool *ret_is_header)
{
	uint64_t start, end;
	struct smaps_entry *list;

	*ret_is_header = sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2;
	if (!*ret_is_header)
		return 0;
	if (smaps->count >= SMAPS_MAX)
		return -E2BIG;
	if (!(smaps->count & (smaps->count - 1))) {
		list = reallocarray(smaps->list, smaps->count ? 2 * smaps->count : 1,
				    sizeof(*list));
		if (!list)
			return -ENOMEM;
		smaps->list = list;
	}
	smaps->list[smaps->count++] = (struct smaps_entry){ .start = start, .end = end };
	return 0;
}

static void smaps_field(struct smaps *smaps, const char *line)
{
	struct smaps_entry *entry = &smaps->list[smaps->count - 1];
	const struct {
		const char *name;
		uint64_t *sum;
	} fields[] = {
		{ "Rss:", &entry->rss_bytes },
		{ "Pss:", &entry->pss_bytes },
		{ "Anonymous:", &entry->anonymous_bytes },
		{ "Swap:", &entry->swap_bytes },
		{ "Private_Clean:", &entry->private_bytes },
		{ "Private_Dirty:", &entry->private_bytes },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		size_t n = strlen(fields[i].name);

		if (!strncmp(line, fields[i].name, n))
			*fields[i].sum += strtoull(line + n, NULL, 10) * KiB;
	}
}

static int smaps_read_stream(FILE *f, struct smaps **ret)
{
	struct smaps *smaps = calloc(1, sizeof(*smaps));
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (!smaps)
		return -ENOMEM;
	while (!r && getline(&line, &room, f) > 0) {
		bool header;

		r = smaps_header(smaps, line, &header);
		if (!r && !header && smaps->count)
			smaps_field(smaps, line);
	}
	if (!r && ferror(f))
		r = -EIO;
	if (r < 0) {
		smaps_free(smaps);
		return r;
	}
	for (size_t i = 0; i < smaps->count; i++) {
		const struct smaps_entry *entry = &smaps->list[i];

		smaps->rss_bytes += entry->rss_bytes;
		smaps->pss_bytes += entry->pss_bytes;
		smaps->forked_bytes +=
			entry->anonymous_bytes - MIN(entry->private_bytes, entry->anonymous_bytes);
	}
	*ret = smaps;
	return 0;
}

int smaps_read(const struct process *proc, struct smaps **ret)
{
	_cleanup_close_ int fd = process_open_file(proc, "smaps");
	_cleanup_fclose_ FILE *f = NULL;

	if (fd < 0)
		return fd;
	f = fdopen(fd, "r");
	if (!f)
		return -ENOMEM;
	TAKE_FD(fd);
	return smaps_read_stream(f, ret);
}

int smaps_parse(const char *text, size_t len, struct smaps **ret)
{
	_cleanup_fclose_ FILE *f = NULL;

	if (!len)
		return -EINVAL;
	f = fmemopen((void *)(uintptr_t)text, len, "r");
	return f ? smaps_read_stream(f, ret) : -ENOMEM;
}

void smaps_free(struct smaps *smaps)
{
	if (smaps)
		free(smaps->list);
	free(smaps);
}
