/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/sharing.h"

#include "base/util.h"

#include <errno.h>

/* A program that does this to more classes than these has said enough. */
#define CHANGES_MAX 100

/* A class as the picture before had it. */
struct known {
	uint64_t address;
	uint64_t owners : 62; /* instances that own their keys */
	uint64_t shared : 1;  /* instances shared keys then */
	uint64_t gave_up : 1; /* up to 3.10: the class had no shared keys any more */
};

struct sharing {
	struct known *known; /* by address */
	size_t count;
	uint64_t taken_at; /* that picture; 0: there was none */
	struct picture_layout_change changes[CHANGES_MAX];
	size_t changes_count;
};

int sharing_new(struct sharing **ret)
{
	struct sharing *sharing = calloc(1, sizeof(*sharing));

	if (!sharing)
		return -ENOMEM;
	*ret = sharing;
	return 0;
}

void sharing_free(struct sharing *sharing)
{
	for (size_t i = 0; i < sharing->changes_count; i++)
		picture_layout_change_fini(&sharing->changes[i]);
	free(sharing->known);
	free(sharing);
}

static struct known known_of(const struct picture_type *type)
{
	return (struct known){
		.address = type->address,
		.owners = (uint64_t)(type->storage[PICTURE_STORAGE_COMBINED] +
				     type->storage[PICTURE_STORAGE_GENERAL]),
		.shared = type->storage[PICTURE_STORAGE_INLINE] +
				  type->storage[PICTURE_STORAGE_SPLIT] >
			  0,
		.gave_up = type->facts && type->facts->shared_lost,
	};
}

static int compare_known(const void *left, const void *right)
{
	const struct known *a = left, *b = right;

	return (a->address > b->address) - (a->address < b->address);
}

static struct picture_layout_change *change_of(struct sharing *sharing, uint64_t address)
{
	for (size_t i = 0; i < sharing->changes_count; i++)
		if (sharing->changes[i].address == address)
			return &sharing->changes[i];
	return NULL;
}

static int copy_keys(struct picture_layout_change *change, char *const *names, size_t count)
{
	change->keys = calloc(count + 1, sizeof(*change->keys));
	if (!change->keys)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		change->keys[i] = strdup(names[i]);
		if (!change->keys[i])
			return -ENOMEM;
		change->keys_count++;
	}
	return 0;
}

static int sharing_add(struct sharing *sharing, const struct picture *pic,
		       const struct picture_type *type)
{
	struct picture_layout_change change = {
		.type = strdup(type->name),
		.address = type->address,
		.after_unix_ns = sharing->taken_at,
		.seen_unix_ns = pic->taken_at_unix_ns,
		.objects = (int64_t)known_of(type).owners,
	};
	const struct picture_facts *facts = type->facts;
	int r = change.type ? 0 : -ENOMEM;

	if (!r && facts)
		r = facts->late_count || !facts->misplaced
			    ? copy_keys(&change, facts->late, facts->late_count)
			    : copy_keys(&change, &facts->misplaced, 1);
	if (r < 0)
		picture_layout_change_fini(&change);
	else
		sharing->changes[sharing->changes_count++] = change;
	return r;
}

/* Did instances of a class that shared its keys begin to own them? */
static bool stopped(const struct known *before, const struct known *now)
{
	if (before->gave_up != now->gave_up)
		return now->gave_up;
	return before->shared && !before->owners && now->owners;
}

static int sharing_compare(struct sharing *sharing, const struct picture *pic,
			   const struct picture_type *type)
{
	struct known now = known_of(type), *before = NULL;
	struct picture_layout_change *change = change_of(sharing, type->address);

	if (change) {
		change->objects = (int64_t)now.owners;
		return 0;
	}
	if (sharing->count)
		before = bsearch(&now, sharing->known, sharing->count, sizeof(now), compare_known);
	if (!before || !stopped(before, &now) || sharing->changes_count == CHANGES_MAX)
		return 0;
	return sharing_add(sharing, pic, type);
}

/* Of a class whose instances keep nothing there is nothing to know. */
static bool is_worth_knowing(const struct known *known)
{
	return known->owners || known->shared || known->gave_up;
}

static int sharing_remember(struct sharing *sharing, const struct picture *pic)
{
	struct known *known;
	size_t count = 0;

	for (size_t i = 0; i < pic->types_count; i++) {
		struct known one = known_of(&pic->types[i]);

		count += is_worth_knowing(&one);
	}
	known = calloc(count + 1, sizeof(*known));
	if (!known)
		return -ENOMEM;
	free(sharing->known);
	sharing->known = known;
	sharing->count = 0;
	for (size_t i = 0; i < pic->types_count; i++) {
		known[sharing->count] = known_of(&pic->types[i]);
		sharing->count += is_worth_knowing(&known[sharing->count]);
	}
	qsort(known, count, sizeof(*known), compare_known);
	return 0;
}

int sharing_see(struct sharing *sharing, const struct picture *pic)
{
	int r = 0;

	for (size_t i = 0; !r && i < pic->types_count; i++)
		r = sharing_compare(sharing, pic, &pic->types[i]);
	if (!r)
		r = sharing_remember(sharing, pic);
	if (r < 0)
		return r;
	sharing->taken_at = pic->taken_at_unix_ns;
	return 0;
}

static int copy_change(struct picture_layout_change *to, const struct picture_layout_change *from)
{
	*to = *from;
	to->keys = NULL;
	to->keys_count = 0;
	to->type = strdup(from->type);
	return to->type ? copy_keys(to, from->keys, from->keys_count) : -ENOMEM;
}

int sharing_tell(const struct sharing *sharing, struct picture *pic)
{
	int r = 0;

	if (!sharing->changes_count)
		return 0;
	pic->events.layout_changes =
		calloc(sharing->changes_count, sizeof(*pic->events.layout_changes));
	if (!pic->events.layout_changes)
		return -ENOMEM;
	for (size_t i = 0; !r && i < sharing->changes_count; i++)
		r = copy_change(&pic->events.layout_changes[pic->events.layout_changes_count++],
				&sharing->changes[i]);
	return r;
}
