/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/labels.h"

#include "base/utf8.h"
#include "base/util.h"

#include <ctype.h>
#include <stdio.h>

#define CONTAINER_ID_LEN 64
#define POD_UID_LEN 36

/* A part of a path between slashes. */
struct part {
	const char *text;
	size_t len;
};

static bool next_part(const char **at, const char *end, struct part *ret)
{
	while (*at < end && **at == '/')
		++*at;
	ret->text = *at;
	while (*at < end && **at != '/')
		++*at;
	ret->len = (size_t)(*at - ret->text);
	return ret->len > 0;
}

static bool ends_with(struct part part, const char *end)
{
	size_t len = strlen(end);

	return part.len > len && memcmp(part.text + part.len - len, end, len) == 0;
}

static void keep(char *to, const char *text, size_t len)
{
	utf8_printable(to, LABELS_MAX, text, len);
}

/* "nginx.service" of system.slice, but not "user@1000.service", which is everything that a user
 * runs. */
static void find_service(struct part part, char *to)
{
	static const char end[] = ".service";

	if (ends_with(part, end) && !(part.len > 5 && memcmp(part.text, "user@", 5) == 0))
		keep(to, part.text, part.len - strlen(end));
}

/*
 * 64 hex digits, alone ("docker/<id>", cgroupfs driver) or as "docker-<id>.scope",
 * "cri-containerd-<id>.scope", "crio-<id>.scope", "libpod-<id>.scope" (systemd driver).
 */
static void find_container(struct part part, char *to)
{
	size_t digits = 0;

	for (size_t i = 0; i < part.len; i++) {
		digits = isxdigit((unsigned char)part.text[i]) ? digits + 1 : 0;
		if (digits == CONTAINER_ID_LEN && (i + 1 == part.len || part.text[i + 1] == '.')) {
			keep(to, part.text + i + 1 - digits, digits);
			return;
		}
	}
}

/*
 * "pod<uid>" (cgroupfs driver) or "kubepods-burstable-pod<uid>.slice", in which '-' of the UID is
 * '_' (systemd driver): kubelet's GetPodContainerName and the systemd name escaping of
 * cgroup_manager_linux.go.
 */
static void find_pod(struct part part, char *to)
{
	const char *at = memmem(part.text, part.len, "pod", 3);
	char uid[POD_UID_LEN + 1] = "";
	size_t len = 0;

	if (at && at > part.text && at + 3 < part.text + part.len &&
	    at[3] == 's') /* "kubepods-..." */
		at = memmem(at + 3, part.len - (size_t)(at + 3 - part.text), "pod", 3);
	else if (at == part.text && part.len > 3 && at[3] == 's')
		return;
	if (!at)
		return;
	for (at += 3; at < part.text + part.len && len < POD_UID_LEN; at++) {
		if (!isxdigit((unsigned char)*at) && *at != '-' && *at != '_')
			break;
		uid[len++] = *at == '_' ? '-' : *at;
	}
	/* Static pods have a hash of 32 digits in place of a UID. */
	if (len >= 32)
		keep(to, uid, len);
}

/* Inner parts win: a container may run systemd. */
static void parse_path(const char *path, const char *end, struct labels *ret)
{
	struct part part;
	bool kubernetes = memmem(path, (size_t)(end - path), "kubepods", 8);

	while (next_part(&path, end, &part)) {
		find_service(part, ret->service);
		find_container(part, ret->container);
		if (kubernetes)
			find_pod(part, ret->pod);
	}
}

/* "python3 /srv/app.py": "app"; "python3 -m http.server": "http.server"; "python3": that. */
static void name_command(const char *cmdline, char *to)
{
	const char *space = strchr(cmdline, ' '), *text = space ? space + 1 : cmdline, *slash;
	size_t len;

	if (strncmp(text, "-m ", 3) == 0)
		text += 3;
	else if (*text == '-') /* "-c ..." */
		text = cmdline;
	len = text == cmdline && space ? (size_t)(space - text) : strlen(text);
	slash = memrchr(text, '/', len);
	if (slash && slash + 1 < text + len) {
		len -= (size_t)(slash + 1 - text);
		text = slash + 1;
	}
	if (len > 3 && memcmp(text + len - 3, ".py", 3) == 0)
		len -= 3;
	keep(to, text, len);
}

void labels_parse(const char *cgroup, const char *cmdline, struct labels *ret)
{
	*ret = (struct labels){ 0 };
	/* "HIERARCHY:CONTROLLERS:PATH" a line, cgroups(7). With v1 there are many, and they may
	 * differ. */
	for (const char *line = cgroup; *line;) {
		const char *end = strchrnul(line, '\n'),
			   *path = memchr(line, ':', (size_t)(end - line));

		path = path ? memchr(path + 1, ':', (size_t)(end - path - 1)) : NULL;
		if (path)
			parse_path(path + 1, end, ret);
		line = *end ? end + 1 : end;
	}
	if (!*ret->service)
		name_command(cmdline, ret->service);
	if (!*ret->service)
		keep(ret->service, "unknown", 7);
}

void labels_read(const struct process *proc, struct labels *ret)
{
	_cleanup_free_ char *cgroup = NULL;
	size_t len;

	if (process_read_file(proc, "cgroup", 64 * KiB, &cgroup, &len))
		cgroup = NULL;
	labels_parse(cgroup ? cgroup : "", proc->cmdline, ret);
}
