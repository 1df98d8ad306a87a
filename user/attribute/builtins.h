/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types whose instances we know from the inside: how sys.getsizeof() counts them and which
 * buffers are theirs. A table by name and size: a type of that name with another size is not taken
 * for it. Private to attribute/.
 */
#pragma once

#include "attribute/types.h"
#include "attribute/worker.h"
#include "base/util.h"

struct builtin {
	const char *name;	 /* tp_name */
	uint64_t subclass_flag;	 /* else: the type has this bit of tp_flags; 0: by name only */
	size_t basicsize_offset; /* of the size it must have in struct layout; 0: any */
	/* Books sizeof_bytes, capacity and buffers of one instance; NULL: basicsize and items say
	 * it all. */
	void (*visit)(struct worker *worker, struct type *type, const struct object *obj);
	/* For instances of which sys.getsizeof is all there is to say; visit for those with
	 * attributes. */
	enum type_shape shape;
	uint32_t own_size; /* behind the object's header: what basicsize must come to; 0: any */
	int32_t more;	   /* what __sizeof__ adds for each */
	uint32_t shorter;  /* by which the shortest instance is shorter than basicsize says */
};

/* The row for @type itself (not its bases), or NULL. */
const struct builtin *builtins_find(const struct layout *layout, struct memory *mem,
				    const struct type *type);

/* What a class keeps besides its object: to its own row its shared keys, to its metatype's the
 * rest.
 * @counts_keys: the metatype's __sizeof__ counts the keys. */
void builtins_charge_class(struct worker *worker, struct type *metatype, const struct object *obj,
			   bool counts_keys);

static inline bool builtins_looks_inside(const struct builtin *builtin)
{
	return builtin->visit;
}

/* Py_SIZE where that many items fit in the block; 0 where they do not, counted as torn if it is not
 * just negative. */
static inline int64_t builtins_items(struct worker *worker, const struct type *type,
				     const struct object *obj)
{
	int64_t items = (int64_t)object_word(obj, worker->layout->ob_size);

	if (!type->itemsize || items <= 0)
		return 0;
	if ((uint64_t)items > obj->block_size / (uint64_t)type->itemsize) {
		worker->torn++;
		return 0;
	}
	return items;
}

/* The word at @offset behind the object's header. */
static inline uint64_t builtins_word(const struct worker *worker, const struct object *obj,
				     uint32_t offset)
{
	return object_word(obj, worker->layout->sizeof_object + offset);
}

/* So many bytes more (or less) that sys.getsizeof() counts for an instance of @type. */
static inline void builtins_book_size(struct worker *worker, struct type *type, int64_t bytes)
{
	worker_tally(worker, type)->sizeof_bytes += bytes;
}

/* What object.__sizeof__ and the header in front come to (Objects/typeobject.c,
 * Python/sysmodule.c). */
static inline int64_t builtins_plain_size(const struct type *type, int64_t items)
{
	return type->basicsize + (int64_t)type->pre + (type->itemsize ? type->itemsize * items : 0);
}

/* How instances of @type are sized when they have this shape. */
struct type_size builtins_size(const struct layout *layout, const struct type *type,
			       enum type_shape shape);

/*
 * sys.getsizeof() of the object at @obj, in a block of @block_size bytes. All of these shapes lie
 * in their block: a size that says more is torn or a lie.
 */
static inline int64_t builtins_sizeof(const struct type_size *size, const uint8_t *obj,
				      uint64_t block_size)
{
	uint64_t n = load_u64(obj + size->at);
	uint64_t bytes;

	n = ((int64_t)n < 0 ? 0 - n : n) >> size->shift;
	bytes = (uint64_t)size->base + (uint64_t)size->item * MAX(n, (uint64_t)size->least);
	/* Some are declared longer than they are: builtin->shorter. */
	return (int64_t)MIN(bytes, MAX(block_size, (uint64_t)size->base));
}
