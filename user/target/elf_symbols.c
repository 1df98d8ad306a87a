/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/elf_symbols.h"

#include "base/util.h"

/* Larger is no symbol table that we want to read, whatever a sparse file may claim. */
#define TABLE_MAX GiB

struct named_symbol {
	const char *name; /* in the file's string table */
	struct elf_symbol sym;
	bool local;
	uint32_t order; /* in which it was found */
};

struct elf_symbols {
	struct named_symbol *list; /* sorted by name */
	size_t count;
};

Elf_Scn *elf_symbols_table(Elf *file, uint32_t type, GElf_Shdr *header)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(file, scn)))
		if (gelf_getshdr(scn, header) && header->sh_type == type)
			return scn;
	return NULL;
}

typedef bool (*symbol_visitor)(const char *name, const GElf_Sym *sym, void *arg);

/* Calls @visit for each defined symbol of the table of @type until it says true; that is returned.
 */
static bool visit_table(Elf *file, uint32_t type, symbol_visitor visit, void *arg)
{
	GElf_Shdr header, strings;
	Elf_Scn *scn = elf_symbols_table(file, type, &header);
	Elf_Data *data;
	size_t count;

	if (!scn || header.sh_size > TABLE_MAX ||
	    !gelf_getshdr(elf_getscn(file, header.sh_link), &strings) ||
	    strings.sh_size > TABLE_MAX)
		return false;
	data = elf_getdata(scn, NULL);
	count = data ? data->d_size / sizeof(Elf64_Sym) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF ||
		    sym.st_name == 0 || sym.st_shndx == SHN_ABS ||
		    GELF_ST_TYPE(sym.st_info) == STT_TLS || GELF_ST_TYPE(sym.st_info) == STT_FILE)
			continue;
		/* Checks that the string lies in its table and ends there. */
		name = elf_strptr(file, header.sh_link, sym.st_name);
		if (name && visit(name, &sym, arg))
			return true;
	}
	return false;
}

/* Compares names up to a version suffix. */
static int compare_names(const char *a, const char *b)
{
	while (*a && *a != '@' && *a == *b) {
		a++;
		b++;
	}
	return (*a == '@' ? 0 : (unsigned char)*a) - (*b == '@' ? 0 : (unsigned char)*b);
}

static bool is_named(const char *name, const GElf_Sym *sym, void *arg)
{
	return compare_names(name, arg) == 0;
}

bool elf_symbols_has(Elf *file, const char *name)
{
	void *arg = (void *)(uintptr_t)name;

	/* .dynsym first: a fraction of the size of .symtab. */
	return visit_table(file, SHT_DYNSYM, is_named, arg) ||
	       visit_table(file, SHT_SYMTAB, is_named, arg);
}

static bool count_symbol(const char *name, const GElf_Sym *sym, void *arg)
{
	++*(size_t *)arg;
	return false;
}

static bool add_symbol(const char *name, const GElf_Sym *sym, void *arg)
{
	struct elf_symbols *all = arg;

	all->list[all->count] = (struct named_symbol){
		.name = name,
		.sym = { .value = sym->st_value, .size = sym->st_size },
		.local = GELF_ST_BIND(sym->st_info) == STB_LOCAL,
		.order = (uint32_t)all->count,
	};
	all->count++;
	return false;
}

/* By name; of the same name global ones first, then in the order in which they were found. */
static int compare_symbols(const void *a, const void *b)
{
	const struct named_symbol *left = a, *right = b;
	int r = compare_names(left->name, right->name);

	if (r == 0)
		r = left->local - right->local;
	if (r == 0)
		r = left->order < right->order ? -1 : left->order > right->order;
	return r;
}

struct elf_symbols *elf_symbols_new(Elf *file)
{
	struct elf_symbols *all = calloc(1, sizeof(*all));
	size_t count = 0;

	if (!all)
		return NULL;
	visit_table(file, SHT_SYMTAB, count_symbol, &count);
	visit_table(file, SHT_DYNSYM, count_symbol, &count);
	all->list = calloc(count ? count : 1, sizeof(*all->list));
	if (!all->list) {
		free(all);
		return NULL;
	}
	visit_table(file, SHT_SYMTAB, add_symbol, all);
	visit_table(file, SHT_DYNSYM, add_symbol, all);
	qsort(all->list, all->count, sizeof(*all->list), compare_symbols);
	return all;
}

void elf_symbols_free(struct elf_symbols *all)
{
	if (!all)
		return;
	free(all->list);
	free(all);
}

/* Two static variables of one name in two source files: nothing says which one is meant. */
static bool is_ambiguous(const struct elf_symbols *all, size_t at)
{
	const struct named_symbol *sym = &all->list[at];

	return sym->local && at + 1 < all->count && compare_names(sym[1].name, sym->name) == 0 &&
	       sym[1].sym.value != sym->sym.value;
}

bool elf_symbols_find(const struct elf_symbols *all, const char *name, struct elf_symbol *ret)
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_names(all->list[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == all->count || compare_names(all->list[low].name, name) != 0 ||
	    is_ambiguous(all, low))
		return false;
	*ret = all->list[low].sym;
	return true;
}

const char *elf_symbols_at(const struct elf_symbols *all, uint64_t vaddr)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct elf_symbol *sym = &all->list[i].sym;

		if (vaddr >= sym->value && vaddr - sym->value < sym->size)
			return all->list[i].name;
	}
	return NULL;
}
