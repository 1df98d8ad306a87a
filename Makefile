# SPDX-License-Identifier: BSD-2-Clause
#
# pymemtop: `make` builds build/pymemtop, `make help` lists the rest.
# Sources are found by wildcard: a new .c file under user/, bpf/ or tests/unit/ needs no change here.

# One build directory a variant, so that they never mix.
O        ?= build$(if $(filter 1,$(SAN)),-san)
PREFIX   ?= /usr/local
DESTDIR  ?=
UNITDIR  ?= $(PREFIX)/lib/systemd/system

CC       := gcc
CLANG    ?= clang
LLVM_STRIP ?= llvm-strip
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PYTHON   := $(firstword $(wildcard /usr/bin/python3) python3)
# Debian's own first: an interpreter manager's python3 in front of PATH has no pytest.

# In the order in which includes may point (right to left); tests/check enforces it.
FOLDERS  := base target layout probe census attribute model advise view tui daemon cli

# ---- what there is ---------------------------------------------------------------------------

SOURCES  := $(foreach folder,$(FOLDERS),$(wildcard user/$(folder)/*.c))
OBJECTS  := $(SOURCES:user/%.c=$O/obj/%.o)
MAIN_OBJ := $O/obj/main.o
BPF_SRC  := $(wildcard bpf/*.bpf.c)
BPF_OBJ  := $(BPF_SRC:bpf/%.bpf.c=$O/%.bpf.o)
SKELETON := $(BPF_SRC:bpf/%.bpf.c=$O/%.skel.h)
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT     := $(UNIT_SRC:tests/unit/%.c=$O/unit/%)
TOOL_SRC := $(wildcard tests/tools/*.c)
TOOLS    := $(TOOL_SRC:tests/tools/%.c=$O/tools/%)
LIBRARY  := $O/libpymemtop.a
PROGRAM  := $O/pymemtop

# ---- how it is built -------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
            -Wundef -Wpointer-arith -Wwrite-strings -Wno-unused-parameter \
            -Wno-missing-field-initializers \
            -Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
            -Werror=int-conversion -Werror=return-type
CPPFLAGS := -D_GNU_SOURCE -Iuser -I. -I$O
CFLAGS   ?= -O2 -g
HARDEN   := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE
LINK     := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDLIBS   := -lbpf -lelf -lz -lcapstone -ljansson -levent_extra -levent_core -lncursesw -ltinfo \
            -lcap -lpthread -lm

ifeq ($(SAN),1)
HARDEN   := -fPIE -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LINK     += -fsanitize=address,undefined
endif
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDEN) $(CFLAGS)

# BPF: the target architecture's name as libbpf's bpf_tracing.h wants it.
ARCH       := $(shell uname -m | sed -e 's/x86_64/x86/' -e 's/aarch64/arm64/')
BPF_CFLAGS := -target bpf -D__TARGET_ARCH_$(ARCH) -g -O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
              -Wno-missing-declarations -I$O/vmlinux -I.

# Types of this machine's kernel; `make VMLINUX=fallback` takes the checked-in selection instead.
KERNEL_BTF := $(if $(filter fallback,$(VMLINUX)),,$(wildcard /sys/kernel/btf/vmlinux))

ifeq ($(V),1)
Q   :=
msg :=
else
Q   := @
msg  = @printf '  %-8s %s\n' "$(1)" "$(patsubst $(CURDIR)/%,%,$@)";
MAKEFLAGS += --no-print-directory
endif

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---- the program -----------------------------------------------------------------------------

.PHONY: all FORCE
all: $(PROGRAM)

$(PROGRAM): $(MAIN_OBJ) $(LIBRARY)
	$(call msg,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK) $(LDFLAGS) -o $@ $(MAIN_OBJ) $(LIBRARY) $(LDLIBS)

# q, not r: r replaces a member by another of the same name, whatever folder it is from.
$(LIBRARY): $(OBJECTS) $O/objects.list
	$(call msg,AR)
	$(Q)rm -f $@ && ar qcs $@ $(OBJECTS)

# The list of objects is an input of the archive: a source that goes away leaves it too.
$O/objects.list: FORCE
	@mkdir -p $O
	@echo $(OBJECTS) | cmp -s - $@ || echo $(OBJECTS) >$@

$O/obj/%.o: user/%.c | $(SKELETON) $O/version.h
	$(call msg,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# .incbin, which dependency files do not know.
$O/obj/view/schema.o: docs/snapshot.schema.json
$O/obj/view/report.o: user/view/report.html

# Rewritten only when the version changes, so that a commit rebuilds only what shows it.
$O/version.h: FORCE
	@mkdir -p $O
	@version=$$(cat VERSION)$$(git rev-parse --short=9 HEAD 2>/dev/null | sed 's/^/+g/'); \
	printf '#pragma once\n#define PYMEMTOP_VERSION "%s"\n' "$$version" >$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- BPF -------------------------------------------------------------------------------------

# Named after its source: switching between BTF and fallback rebuilds.
$O/vmlinux/source: FORCE
	@mkdir -p $(@D)
	@echo '$(or $(KERNEL_BTF),fallback)' | cmp -s - $@ || echo '$(or $(KERNEL_BTF),fallback)' >$@

$O/vmlinux/vmlinux.h: $O/vmlinux/source vmlinux/vmlinux.h $(KERNEL_BTF)
	$(call msg,BTF)
	$(Q)$(if $(KERNEL_BTF),$(BPFTOOL) btf dump file $(KERNEL_BTF) format c,cat vmlinux/vmlinux.h) >$@

$O/%.bpf.o: bpf/%.bpf.c $O/vmlinux/vmlinux.h
	$(call msg,BPF)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
	$(Q)$(LLVM_STRIP) -g $@

$O/%.skel.h: $O/%.bpf.o
	$(call msg,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*) >$@

# ---- tests -----------------------------------------------------------------------------------

.PHONY: unit check check-run lint rules format-check tidy format demo bench
# A test that is written but not registered is an unused function: it fails the build.
$O/unit/%: tests/unit/%.c $(LIBRARY)
	$(call msg,TEST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(ALL_CFLAGS) -Werror=unused-function -MMD -MP -MF $@.d \
		$(LINK) -o $@ $< $(LIBRARY) -lcmocka $(LDLIBS)

# Small programs that Python tests run.
$O/tools/%: tests/tools/%.c $(LIBRARY)
	$(call msg,TOOL)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LINK) -o $@ $< $(LIBRARY) $(LDLIBS)

unit: $(UNIT)
	$(Q)$(PYTHON) tests/run.py --build $O unit

# Recursive, because what deps installs must be there before the rest is looked up.
# Without what single tests need, these say so: no reason not to run the others.
check: deps
	$(Q)tools/deps tests || true
	$(Q)$(MAKE) -j2 check-run
check-run: all $(UNIT) $(TOOLS)
	$(Q)$(PYTHON) tests/run.py --build $O rules unit python

rules:
	$(Q)$(PYTHON) tests/run.py --build $O rules

FORMATTED := $(wildcard user/*/*.[ch] user/*.c bpf/*.[ch] tests/unit/*.[ch] vmlinux/*.h)
TIDY_SRC ?= $(SOURCES) user/main.c
lint: rules format-check tidy
format-check:
	$(Q)clang-format --dry-run -Werror $(FORMATTED)
# One source a run: clang-tidy 14 carries false alarms about va_list from one source to the next.
tidy: $(SKELETON) $O/version.h
	$(Q)printf '%s\n' $(TIDY_SRC) | xargs -P2 -I{} clang-tidy --quiet {} -- $(CPPFLAGS) -std=gnu11
format:
	$(Q)clang-format -i $(FORMATTED)

# Memory as a hostile target would have it: `make fuzz FUZZ_SECONDS=300` for longer.
FUZZ_SECONDS ?= 30
FUZZ_FLAGS   := -g -O1 -fno-sanitize-recover=undefined -std=gnu11 -fsanitize=address,undefined,fuzzer
# ASan maps, poisons and unmaps each allocation of more than 128 KiB: half of the time of a small census.
FUZZ_SIZES   := -DWINDOW_MAX=65536u -DNEGATIVES=1024 -DQUEUE_BATCH=64
FUZZ_SRC     := $(wildcard tests/fuzz/*.c)
FUZZ         := $(FUZZ_SRC:tests/fuzz/%.c=build-fuzz/%)
# All but what no fuzzer gets to; what is needed of that all the same is linked as it is in the program.
FUZZED       := $(filter-out user/tui/% user/cli/% user/advise/% user/daemon/%,$(SOURCES)) user/daemon/protocol.c
FUZZED_OBJ   := $(FUZZED:user/%.c=build-fuzz/obj/%.o)

build-fuzz/obj/%.o: user/%.c | $(SKELETON) $O/version.h
	$(call msg,FUZZ)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS)-no-link $(FUZZ_SIZES) -MMD -MP -c -o $@ $<

build-fuzz/obj/view/schema.o: docs/snapshot.schema.json
build-fuzz/obj/view/report.o: user/view/report.html

build-fuzz/fuzzed.a: $(FUZZED_OBJ)
	$(Q)rm -f $@ && ar qcs $@ $^

# From an archive a target takes only what it needs: that of the ring is itself what else would need a kernel, and so
# must have all that the tracer calls of it.
build-fuzz/%: tests/fuzz/%.c build-fuzz/fuzzed.a $(LIBRARY)
	$(call msg,FUZZ)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -MF $@.d -Wl,--as-needed -o $@ $< build-fuzz/fuzzed.a $(LIBRARY) $(LDLIBS) || \
		{ echo "$<: \"multiple definition\" above means that a function is new to the session, the plan or the cost which $< plays: give it one too" >&2; exit 1; }

.PHONY: fuzz
fuzz: deps
	$(Q)tools/deps fuzz
	$(Q)$(MAKE) -j2 $(FUZZ)
	$(Q)printf '%s\n' $(FUZZ) | xargs -P2 -I{} sh -c 'mkdir -p {}.corpus && \
		ASAN_OPTIONS=quarantine_size_mb=16 {} -max_total_time=$(FUZZ_SECONDS) -timeout=60 -rss_limit_mb=2048 -max_len=4096 -len_control=0 \
			-artifact_prefix={}. -print_final_stats=1 -verbosity=0 {}.corpus \
			$$(ls -d tests/fuzz/corpus/$$(basename {} | sed s/^fuzz_//) 2>/dev/null) || { echo "{}: a finding, or it could not run" >&2; exit 1; }'

demo: deps
	$(Q)$(MAKE) -j2 all
	$(Q)demo/run $O/pymemtop

bench: deps
	$(Q)$(MAKE) -j2 all
	$(Q)tests/bench/run $O/pymemtop
	$(Q)tests/bench/live $O/pymemtop

# ---- everything else -------------------------------------------------------------------------

.PHONY: deps install static clean layouts interpreters help
deps:
	$(Q)tools/deps

install: all
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/pymemtop
	$(if $(wildcard docs/pymemtop.1.scd),scdoc <docs/pymemtop.1.scd >$O/pymemtop.1)
	$(if $(wildcard docs/pymemtop.1.scd),install -D -m 0644 $O/pymemtop.1 $(DESTDIR)$(PREFIX)/share/man/man1/pymemtop.1)
	$(PROGRAM) --completion bash >$O/pymemtop.bash
	$(PROGRAM) --completion zsh >$O/pymemtop.zsh
	$(PROGRAM) --completion fish >$O/pymemtop.fish
	install -D -m 0644 $O/pymemtop.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pymemtop
	install -D -m 0644 $O/pymemtop.zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_pymemtop
	install -D -m 0644 $O/pymemtop.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pymemtop.fish
	sed 's#/usr/bin/#$(PREFIX)/bin/#' dist/systemd/pymemtop.service >$O/pymemtop.service
	install -D -m 0644 $O/pymemtop.service $(DESTDIR)$(UNITDIR)/pymemtop.service
	test -e $(DESTDIR)/etc/default/pymemtop || \
		install -D -m 0644 dist/systemd/pymemtop.default $(DESTDIR)/etc/default/pymemtop

# A Debian package, built in a copy of the tree as it is committed: build/deb/*.deb.
.PHONY: deb soak
deb: deps
	$(Q)tools/deps deb
	rm -rf build/deb && mkdir -p build/deb/tree
	git archive HEAD | tar -x -C build/deb/tree
	cd build/deb/tree && dpkg-buildpackage -us -uc -b
	$(Q)rm -rf build/deb/tree && ls build/deb/*.deb

# In a fresh Debian 12, from the network.
.PHONY: deb-check
deb-check: deb
	$(Q)$(PYTHON) tests/package/run.py build/deb/pymemtop_*.deb

# In an emulated machine with a fresh Debian 12 and its systemd: the service too. Takes a quarter of an hour.
.PHONY: deb-boot
deb-boot: deb
	$(Q)$(MAKE) static
	$(Q)$(PYTHON) tests/kernels/run.py $(STATIC) --package build/deb/pymemtop_*.deb bookworm

# The tests of the whole program under Debian's kernels, in emulated machines: hours. KERNELS=trixie for one, KERNEL_TESTS=A,B for some.
KERNELS      ?= bullseye bookworm trixie
KERNEL_TESTS ?= tests/e2e
.PHONY: kernel-tests
kernel-tests: deps
	$(Q)tools/deps deb
	$(Q)$(MAKE) -j2 all $(TOOLS)
	$(Q)$(PYTHON) tests/kernels/run.py $O/pymemtop --tests $(KERNEL_TESTS) $(KERNELS)

# The daemon over processes that come and go: `make soak SOAK_MINUTES=30` for longer.
SOAK_MINUTES ?= 2
soak: deps
	$(Q)$(MAKE) -j2 all
	$(Q)$(PYTHON) tests/soak/run.py --minutes $(SOAK_MINUTES) $O/pymemtop

# The same objects: only the last step differs.
STATIC   := build-static/pymemtop
static: $(STATIC)
$(STATIC): $(MAIN_OBJ) $(LIBRARY)
	$(call msg,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -static-pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $(MAIN_OBJ) $(LIBRARY) $(LDLIBS)

clean:
	rm -rf build build-san build-static build-fuzz build-fallback

# Regenerates the checked-in layout tables from CPython's own headers.
layouts:
	$(Q)user/layout/generate/generate.sh

# More interpreters to test with, into a cache outside the tree: opt-in, it takes minutes and gigabytes.
interpreters:
	$(Q)tools/interpreters

help:
	@echo 'all      build/pymemtop (default)      deps     install what is missing'
	@echo 'demo     the main job on a sample      bench    benchmarks'
	@echo 'check    every test                    unit     unit tests only'
	@echo 'lint     format, clang-tidy, rules     rules    our own rules only'
	@echo 'format   clang-format -i over all C'
	@echo 'fuzz     hostile heaps (clang)         (FUZZ_SECONDS=30)'
	@echo 'static   build-static/pymemtop         install  honours DESTDIR and PREFIX'
	@echo 'deb      a Debian package             soak     the daemon for minutes (SOAK_MINUTES=2)'
	@echo 'kernel-tests  tests under other kernels, emulated (hours; KERNELS=trixie, KERNEL_TESTS=tests/e2e/test_loss.py)'
	@echo 'layouts  regenerate layout tables      clean    remove build directories'
	@echo 'interpreters  later CPythons to test with (15 minutes, 3 GB)'
	@echo 'Variables: V=1 SAN=1 WERROR=1 VMLINUX=fallback O=dir FOLDERS="base target"'

-include $(OBJECTS:.o=.d) $(MAIN_OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(UNIT:=.d) $(TOOLS:=.d) \
         $(FUZZED_OBJ:.o=.d) $(FUZZ:=.d)
