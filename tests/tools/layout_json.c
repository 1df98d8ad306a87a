/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the layout tables as JSON, for tests/truth/test_layouts.py to hold against real
 * interpreters. */
#include "layout/layout.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/util.h"

#define FIELD(field)                                                                               \
	{                                                                                          \
#field, offsetof(struct layout, field)                                             \
	}

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(ob_type),
	FIELD(ob_size),
	FIELD(tp_name),
	FIELD(tp_basicsize),
	FIELD(tp_itemsize),
	FIELD(tp_flags),
	FIELD(tp_base),
	FIELD(tp_dict),
	FIELD(tp_dictoffset),
	FIELD(tp_weaklistoffset),
	FIELD(tp_mro),
	FIELD(sizeof_heap_type),
	FIELD(sizeof_member_def),
	FIELD(ht_name),
	FIELD(ht_slots),
	FIELD(ht_qualname),
	FIELD(ht_cached_keys),
	FIELD(ht_module),
	FIELD(ma_used),
	FIELD(ma_keys),
	FIELD(ma_values),
	FIELD(sizeof_dict),
	FIELD(dk_refcnt),
	FIELD(dk_size),
	FIELD(dk_lookup),
	FIELD(dk_log2_size),
	FIELD(dk_log2_index_bytes),
	FIELD(dk_kind),
	FIELD(dk_usable),
	FIELD(dk_nentries),
	FIELD(dk_indices),
	FIELD(sizeof_key_entry),
	FIELD(key_entry_key),
	FIELD(key_entry_value),
	FIELD(sizeof_unicode_entry),
	FIELD(unicode_entry_key),
	FIELD(unicode_entry_value),
	FIELD(str_length),
	FIELD(str_state),
	FIELD(sizeof_ascii),
	FIELD(sizeof_compact),
	FIELD(sizeof_unicode),
	FIELD(str_kind_shift),
	FIELD(str_kind_mask),
	FIELD(str_compact_mask),
	FIELD(str_ascii_mask),
	FIELD(int_format),
	FIELD(int_tag),
	FIELD(int_tag_shift),
	FIELD(int_digits),
	FIELD(sizeof_int),
	FIELD(sizeof_digit),
	FIELD(sizeof_float),
	FIELD(sizeof_complex),
	FIELD(bytes_data),
	FIELD(sizeof_bytes),
	FIELD(list_items),
	FIELD(list_allocated),
	FIELD(sizeof_list),
	FIELD(tuple_items),
	FIELD(sizeof_tuple),
	FIELD(bytearray_alloc),
	FIELD(bytearray_start),
	FIELD(sizeof_bytearray),
	FIELD(set_fill),
	FIELD(set_used),
	FIELD(set_mask),
	FIELD(set_table),
	FIELD(set_smalltable),
	FIELD(sizeof_set),
	FIELD(sizeof_set_entry),
	FIELD(deque_leftblock),
	FIELD(bytesio_buf),
	FIELD(sizeof_bytesio),
	FIELD(deque_leftindex),
	FIELD(deque_block_next),
	FIELD(sizeof_deque),
	FIELD(sizeof_deque_block),
	FIELD(odict_first),
	FIELD(odict_node_next),
	FIELD(odict_fast_nodes_size),
	FIELD(sizeof_odict),
	FIELD(sizeof_odict_node),
	FIELD(array_items),
	FIELD(array_allocated),
	FIELD(array_descr),
	FIELD(array_descr_itemsize),
	FIELD(sizeof_array),
	FIELD(memoryview_base_size),
	FIELD(descr_type),
	FIELD(module_dict),
	FIELD(sizeof_module),
	FIELD(weakref_object),
	FIELD(sizeof_code),
	FIELD(sizeof_code_unit),
	FIELD(code_name),
	FIELD(code_filename),
	FIELD(code_stacksize),
	FIELD(gen_code_path),
	FIELD(function_code),
	FIELD(function_qualname),
};

static void print_layout(const struct layout *layout)
{
	printf("{\"name\": \"%s\", \"major\": %u, \"minor\": %u, \"micro_first\": %u, "
	       "\"micro_last\": %u, "
	       "\"free_threaded\": %s, \"debug\": %s",
	       layout->name, layout->major, layout->minor, layout->micro_first, layout->micro_last,
	       layout->free_threaded ? "true" : "false", layout->debug ? "true" : "false");
	printf(", \"managed_dict_offset\": %d, \"gc_head_size\": %u, \"flags_preheader\": %" PRIu64,
	       layout->managed_dict_offset, layout->gc_head_size, layout->flags_preheader);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint32_t value = load_u32((const uint8_t *)layout + fields[i].offset);

		if (value == LAYOUT_NONE)
			printf(", \"%s\": null", fields[i].name);
		else
			printf(", \"%s\": %" PRIu32, fields[i].name, value);
	}
	printf("}");
}

int main(void)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	printf("[");
	for (size_t i = 0; i < count; i++) {
		printf("%s", i ? ",\n" : "");
		print_layout(all[i]);
	}
	printf("]\n");
	return 0;
}
