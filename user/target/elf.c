/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "target/elf_symbols.h"
#include "target/elf_unwind.h"

#define PAGE_SIZE 4096u
#define SEGMENTS_MAX 128u
#define BUILD_ID_MAX 64u
/* An instruction, a word: not worth reading their section for. */
#define BYTES_FEW 16u

#ifndef BTRFS_SUPER_MAGIC
#define BTRFS_SUPER_MAGIC 0x9123683E
#endif

/* Larger is nothing that we want to read, whatever a sparse file may claim. */
#define SECTION_MAX GiB

/* Filled on first use. */
struct elf_cache {
	struct elf_symbols *symbols;
	struct elf_function *functions; /* sorted by start */
	size_t functions_count;
	bool functions_read;
};

struct elf {
	int fd;
	Elf *file;
	char *path;
	GElf_Ehdr header;
	struct elf_segment segments[SEGMENTS_MAX];
	size_t segments_count;
	bool has_interp;
	char build_id[2 * BUILD_ID_MAX + 1];
	struct elf_cache *cache;
};

/* ---- opening -----------------------------------------------------------------------------------
 */

static void clear_cache(struct elf_cache *cache)
{
	elf_symbols_free(cache->symbols);
	free(cache->functions);
	*cache = (struct elf_cache){ 0 };
}

void elf_free(struct elf *elf)
{
	if (!elf)
		return;
	if (elf->cache)
		clear_cache(elf->cache);
	free(elf->cache);
	elf_end(elf->file);
	cleanup_close(&elf->fd);
	free(elf->path);
	free(elf);
}

void elf_trim(struct elf *elf)
{
	Elf *fresh = elf->fd < 0 ? NULL : elf_begin(elf->fd, ELF_C_READ, NULL);

	/* libelf cannot forget a section, only a file. */
	if (!fresh)
		return;
	clear_cache(elf->cache);
	elf_end(elf->file);
	elf->file = fresh;
}

static int read_segments(struct elf *elf)
{
	size_t count;

	if (elf_getphdrnum(elf->file, &count) != 0)
		return -ENOEXEC;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf->file, (int)i, &header))
			return -ENOEXEC;
		if (header.p_type == PT_INTERP)
			elf->has_interp = true;
		if (header.p_type != PT_LOAD)
			continue;
		if (header.p_vaddr + header.p_memsz < header.p_vaddr ||
		    header.p_filesz > header.p_memsz ||
		    header.p_offset + header.p_filesz < header.p_offset ||
		    elf->segments_count == SEGMENTS_MAX)
			return -ENOEXEC;
		elf->segments[elf->segments_count++] = (struct elf_segment){
			.vaddr = header.p_vaddr,
			.offset = header.p_offset,
			.filesz = header.p_filesz,
			.memsz = header.p_memsz,
			.read = header.p_flags & PF_R,
			.write = header.p_flags & PF_W,
			.exec = header.p_flags & PF_X,
		};
	}
	return elf->segments_count ? 0 : -ENOEXEC;
}

/* The NT_GNU_BUILD_ID note of one PT_NOTE segment, as hex. */
static bool find_build_id(struct elf *elf, Elf_Data *notes)
{
	size_t at = 0, name, desc;
	GElf_Nhdr note;

	while ((at = gelf_getnote(notes, at, &note, &name, &desc)) > 0) {
		const unsigned char *id = (const unsigned char *)notes->d_buf + desc;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp((const char *)notes->d_buf + name, "GNU", sizeof("GNU")) != 0 ||
		    note.n_descsz > BUILD_ID_MAX)
			continue;
		for (size_t i = 0; i < note.n_descsz; i++)
			snprintf(elf->build_id + 2 * i, 3, "%02x", id[i]);
		return true;
	}
	return false;
}

static void read_build_id(struct elf *elf)
{
	size_t count = 0;

	elf_getphdrnum(elf->file, &count);
	for (size_t i = 0; i < MIN(count, (size_t)SEGMENTS_MAX); i++) {
		GElf_Phdr header;
		Elf_Data *notes;

		if (!gelf_getphdr(elf->file, (int)i, &header) || header.p_type != PT_NOTE ||
		    header.p_filesz > 64 * KiB || header.p_offset > INT64_MAX)
			continue;
		/* Notes are padded to 4 or 8 bytes, which p_align says (gABI, GNU property notes).
		 */
		notes = elf_getdata_rawchunk(elf->file, (int64_t)header.p_offset, header.p_filesz,
					     header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (notes && find_build_id(elf, notes))
			return;
	}
}

static struct elf *elf_alloc(void)
{
	struct elf *elf = calloc(1, sizeof(*elf));

	if (!elf)
		return NULL;
	elf->fd = -1;
	elf->cache = calloc(1, sizeof(*elf->cache));
	if (!elf->cache) {
		free(elf);
		return NULL;
	}
	return elf;
}

/* What all ways to open have in common; @elf->file may be NULL after a failed elf_begin(). */
static int check_header(struct elf *elf)
{
	int r;

	if (!elf->file || elf_kind(elf->file) != ELF_K_ELF ||
	    !gelf_getehdr(elf->file, &elf->header))
		return -ENOEXEC;
	if (elf->header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->header.e_ident[EI_DATA] != ELFDATA2LSB || elf->header.e_machine != EM_X86_64 ||
	    (elf->header.e_type != ET_EXEC && elf->header.e_type != ET_DYN))
		return -ENOEXEC;
	r = read_segments(elf);
	if (r < 0)
		return r;
	read_build_id(elf);
	return 0;
}

static int open_fd(int fd, const char *path, struct elf **ret)
{
	_cleanup_close_ int file = fd;
	_cleanup_elf_ struct elf *elf = elf_alloc();
	int r;

	if (!elf || elf_version(EV_CURRENT) == EV_NONE)
		return -ENOMEM;
	elf->path = strdup(path);
	if (!elf->path)
		return -ENOMEM;
	elf->fd = TAKE_FD(file);
	elf->file = elf_begin(elf->fd, ELF_C_READ, NULL);
	r = check_header(elf);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(elf);
	return 0;
}

int elf_open_path(const char *path, struct elf **ret)
{
	/* O_NONBLOCK: a FIFO in place of a file must not hold us. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	return open_fd(TAKE_FD(fd), path, ret);
}

int elf_open_buffer(const void *data, size_t len, struct elf **ret)
{
	_cleanup_elf_ struct elf *elf = elf_alloc();
	int r;

	if (!elf || elf_version(EV_CURRENT) == EV_NONE)
		return -ENOMEM;
	elf->path = strdup("");
	if (!elf->path)
		return -ENOMEM;
	/* libelf does not write to an image whose byte order is ours. */
	elf->file = elf_memory((char *)(uintptr_t)data, len);
	r = check_header(elf);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(elf);
	return 0;
}

/* ---- the file behind a mapping ------------------------------------------------------------------
 */

/*
 * Same file? Device numbers differ between /proc/PID/maps and stat(2) on overlayfs and btrfs, which
 * report a device of their own to stat: there the inode number has to do.
 */
static bool is_file_of(int fd, const struct mapping *map)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != map->inode)
		return false;
	if (major(st.st_dev) == map->dev_major && minor(st.st_dev) == map->dev_minor)
		return true;
	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == (long)BTRFS_SUPER_MAGIC);
}

/* Opens /proc/PID/@name; fd, -ESTALE where it is another file by now, or -errno. */
static int open_below(const struct process *proc, const char *name, const struct mapping *map)
{
	_cleanup_close_ int fd = openat(proc->proc_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (!is_file_of(fd, map))
		return -ESTALE;
	return TAKE_FD(fd);
}

int elf_open_mapping(const struct process *proc, const struct mapping *map, struct elf **ret)
{
	char by_range[64], by_path[PATH_MAX + 8], path[PATH_MAX + 32];
	/* In the order of what they can do; map_files needs CAP_SYS_ADMIN or
	 * CAP_CHECKPOINT_RESTORE. */
	const char *const names[] = { by_range, by_path, "exe" };
	int r = -ENOENT;

	if (map->kind != MAPPING_FILE || map->path[0] != '/')
		return -ENOENT;
	snprintf(by_range, sizeof(by_range), "map_files/%lx-%lx", map->start, map->end);
	snprintf(by_path, sizeof(by_path), "root%s", map->path);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = open_below(proc, names[i], map);

		if (fd >= 0) {
			snprintf(path, sizeof(path), "/proc/%d/%s", proc->pid, names[i]);
			return open_fd(fd, path, ret);
		}
		/* Missing rights say more than "not there". */
		if (r != -EPERM)
			r = fd == -EACCES || fd == -EPERM ? -EPERM : -ENOENT;
	}
	return r;
}

/* ---- what it is -------------------------------------------------------------------------------
 */

const char *elf_path(const struct elf *elf)
{
	return elf->path;
}

const char *elf_build_id(const struct elf *elf)
{
	return elf->build_id;
}

bool elf_is_fixed(const struct elf *elf)
{
	return elf->header.e_type == ET_EXEC;
}

bool elf_is_program(const struct elf *elf)
{
	return elf_is_fixed(elf) || elf->has_interp;
}

const struct elf_segment *elf_segments(const struct elf *elf, size_t *count)
{
	*count = elf->segments_count;
	return elf->segments;
}

/* ---- sections ----------------------------------------------------------------------------------
 */

bool elf_is_stripped(const struct elf *elf)
{
	GElf_Shdr header;

	return !elf_symbols_table(elf->file, SHT_SYMTAB, &header);
}

/* The bytes of a section as they are in the file, all of them, or NULL. */
static const void *section_data(Elf_Scn *scn, const GElf_Shdr *header)
{
	const Elf_Data *data;

	if (header->sh_type == SHT_NOBITS || header->sh_size > SECTION_MAX)
		return NULL;
	data = elf_rawdata(scn, NULL);
	return data && data->d_size == header->sh_size ? data->d_buf : NULL;
}

bool elf_find_section(const struct elf *elf, const char *name, struct elf_section *ret)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf->file, &names) != 0)
		return false;
	while ((scn = elf_nextscn(elf->file, scn))) {
		GElf_Shdr header;
		const char *its;

		if (!gelf_getshdr(scn, &header))
			continue;
		its = elf_strptr(elf->file, names, header.sh_name);
		if (!its || !streq(its, name))
			continue;
		*ret = (struct elf_section){
			.addr = header.sh_addr,
			.offset = header.sh_offset,
			.size = header.sh_size,
			.data = section_data(scn, &header),
		};
		return ret->data || header.sh_type == SHT_NOBITS;
	}
	return false;
}

/* ---- addresses --------------------------------------------------------------------------------
 */

static const struct elf_segment *segment_at(const struct elf *elf, uint64_t vaddr)
{
	for (size_t i = 0; i < elf->segments_count; i++)
		if (vaddr - elf->segments[i].vaddr < elf->segments[i].filesz)
			return &elf->segments[i];
	return NULL;
}

bool elf_offset_of(const struct elf *elf, uint64_t vaddr, uint64_t *ret)
{
	const struct elf_segment *seg = segment_at(elf, vaddr);

	if (!seg)
		return false;
	*ret = seg->offset + (vaddr - seg->vaddr);
	return true;
}

/* libelf keeps the chunk until elf_end(). */
static const void *chunk_of(const struct elf *elf, uint64_t offset, size_t len)
{
	const Elf_Data *data;

	if (offset > INT64_MAX || len > SECTION_MAX)
		return NULL;
	data = elf_getdata_rawchunk(elf->file, (int64_t)offset, len, ELF_T_BYTE);
	return data && data->d_size == len ? data->d_buf : NULL;
}

const void *elf_bytes(const struct elf *elf, uint64_t vaddr, size_t len)
{
	const struct elf_segment *seg = segment_at(elf, vaddr);
	const char *chunk;
	Elf_Scn *scn = NULL;

	if (!seg || len > seg->filesz - (vaddr - seg->vaddr))
		return NULL;
	if (len <= BYTES_FEW)
		return chunk_of(elf, seg->offset + (vaddr - seg->vaddr), len);

	/* By section, which libelf reads once and keeps. */
	while ((scn = elf_nextscn(elf->file, scn))) {
		GElf_Shdr header;
		const char *bytes;

		if (!gelf_getshdr(scn, &header) || !(header.sh_flags & SHF_ALLOC) ||
		    vaddr - header.sh_addr >= header.sh_size ||
		    len > header.sh_size - (vaddr - header.sh_addr))
			continue;
		bytes = section_data(scn, &header);
		return bytes ? bytes + (vaddr - header.sh_addr) : NULL;
	}

	/* Between sections, or a file without section headers. */
	chunk = chunk_of(elf, seg->offset, seg->filesz);
	return chunk ? chunk + (vaddr - seg->vaddr) : NULL;
}

/* Where the first byte of @seg's first page is, given that @map shows part of @seg. */
static uint64_t bias_from(const struct elf_segment *seg, const struct mapping *map)
{
	return map->start - (seg->vaddr + (map->offset - seg->offset));
}

/* Is the first segment of the file mapped where @bias would have it? */
static bool bias_fits(const struct elf *elf, const struct maps *maps, const struct mapping *map,
		      uint64_t bias)
{
	const struct elf_segment *first = &elf->segments[0];
	const struct mapping *head = maps_find(maps, bias + first->vaddr);

	return head && head->inode == map->inode && head->dev_major == map->dev_major &&
	       head->dev_minor == map->dev_minor &&
	       head->offset + (bias + first->vaddr - head->start) == first->offset;
}

uint64_t elf_bias(const struct elf *elf, const struct maps *maps, const struct mapping *map)
{
	uint64_t fallback = 0;
	bool found = false;

	if (elf_is_fixed(elf))
		return 0;
	/*
	 * Two segments may share a page of the file, and RELRO splits one segment into several
	 * mappings: take each segment that the mapping could show, and prefer the one that puts the
	 * file's head right.
	 */
	for (size_t i = 0; i < elf->segments_count; i++) {
		const struct elf_segment *seg = &elf->segments[i];
		uint64_t from = seg->offset & ~(uint64_t)(PAGE_SIZE - 1), bias;

		if (map->offset < from || map->offset >= seg->offset + seg->filesz)
			continue;
		bias = bias_from(seg, map);
		if (bias_fits(elf, maps, map, bias))
			return bias;
		if (!found || map->offset == from)
			fallback = bias;
		found = true;
	}
	return fallback;
}

/* ---- symbols -----------------------------------------------------------------------------------
 */

bool elf_has_symbol(const struct elf *elf, const char *name)
{
	return elf_symbols_has(elf->file, name);
}

static const struct elf_symbols *symbols_of(const struct elf *elf)
{
	struct elf_cache *cache = elf->cache;

	if (!cache->symbols)
		cache->symbols = elf_symbols_new(elf->file);
	return cache->symbols;
}

bool elf_find_symbol(const struct elf *elf, const char *name, struct elf_symbol *ret)
{
	const struct elf_symbols *symbols = symbols_of(elf);

	return symbols && elf_symbols_find(symbols, name, ret);
}

const char *elf_symbol_at(const struct elf *elf, uint64_t vaddr)
{
	const struct elf_symbols *symbols = symbols_of(elf);

	return symbols ? elf_symbols_at(symbols, vaddr) : NULL;
}

/* ---- functions ---------------------------------------------------------------------------------
 */

bool elf_find_function(const struct elf *elf, uint64_t vaddr, struct elf_function *ret)
{
	struct elf_cache *cache = elf->cache;
	size_t low = 0, high;

	if (!cache->functions_read) {
		cache->functions_read = true;
		cache->functions = elf_unwind_read(elf, &cache->functions_count);
	}
	high = cache->functions_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cache->functions[mid].end > vaddr)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == cache->functions_count || cache->functions[low].start > vaddr)
		return false;
	*ret = cache->functions[low];
	return true;
}
