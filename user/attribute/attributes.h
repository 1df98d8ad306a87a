/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an instance keeps its attributes: the storage of the contract. Private to attribute/. */
#pragma once

#include "attribute/worker.h"

/*
 * Books how the instance at @obj stores its attributes (type->tally.storage), and gives its dict,
 * keys and values to the row of its type. @pre: the bytes in front of the object, at @front.
 */
void attributes_visit(struct worker *worker, struct type *type, const struct object *obj,
		      const uint8_t *front);
