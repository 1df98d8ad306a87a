/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test tool, not installed: loads the programs of an object file as pymemtop loads those that are
 * built into it.
 *
 *   verify OBJECT
 *
 * Prints how many were loaded, and whether the kernel has cookies and fetching additions. What the
 * verifier says against one goes to stderr.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "probe/programs.h"

#define SECTION ".rodata"

static char *read_only_data(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		size_t len = strlen(name), size;

		if (len >= strlen(SECTION) && !strcmp(name + len - strlen(SECTION), SECTION))
			return (char *)bpf_map__initial_value(map, &size);
	}
	return NULL;
}

/* A constant of the programs, by its name. */
static volatile bool *flag(struct bpf_object *object, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf__find_by_name_kind(btf, SECTION, BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, (unsigned int)id);
	char *data = read_only_data(object);

	for (int i = 0; section && data && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *var = btf_var_secinfos(section) + i;
		const struct btf_type *type = btf__type_by_id(btf, var->type);

		if (!strcmp(btf__name_by_offset(btf, type->name_off), name))
			return (volatile bool *)(data + var->offset);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
	volatile bool *has_cookie, *has_fetch;
	struct bpf_program *prog;
	int loaded = 0, r;

	if (!object)
		return 2;
	has_cookie = flag(object, "has_cookie");
	has_fetch = flag(object, "has_fetch");
	if (!has_cookie || !has_fetch)
		return 3;
	r = programs_suit(object, has_cookie, has_fetch);
	if (!r)
		r = bpf_object__load(object);
	if (r) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	bpf_object__for_each_program(prog, object) loaded += bpf_program__fd(prog) >= 0;
	printf("%d %d %d\n", loaded, *has_cookie, *has_fetch);
	bpf_object__close(object);
	return 0;
}
