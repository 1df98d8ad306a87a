#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Writes tables/cpython-*.inc from CPython's headers: generate.sh [INCLUDE_DIR...]
#
# INCLUDE_DIR is a directory with Python.h and internal/, e.g. usr/include/python3.14 of an unpacked -dev
# package. Those on the command line come first, then python3.N on PATH, pyenv's versions, and
# /usr/include/python3.N. Of several patch releases of one minor the first is taken; where another one
# contradicts it the lines are printed, and want a table of their own.
# OUT=DIR writes elsewhere.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here/../tables}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

discover()
{
	local minor py
	for minor in 8 9 10 11 12 13 14 15; do
		for py in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$minor".*/bin/python3 \
			"$(command -v "python3.$minor" || true)"; do
			[ -x "$py" ] || continue
			"$py" -c 'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null || true
		done
		echo "/usr/include/python3.$minor"
	done
}

# "3.11.7"
version()
{
	sed -n 's/^#define PY_VERSION[[:space:]]*"\([^"]*\)".*/\1/p' "$1/patchlevel.h"
}

# same FILE FILE: apart from the lines that name the patch release
same()
{
	diff <(grep -v '^/\*\|^\.source' "$1") <(grep -v '^/\*\|^\.source' "$2")
}

# table DIR NAME FLAGS...: one table out of the headers in DIR
table()
{
	local dir=$1 name=$2 new="$work/new"
	shift 2
	# -DNDEBUG: some inline functions of the headers are asked for addresses of objects that are not there.
	"${CC:-cc}" -std=gnu11 -O1 -w -DNDEBUG "$@" -I"$here" -I"$dir" -I"$dir/internal" -I"${dir%/*}" \
		-o "$work/dump" "$here/layout_dump.c"
	"$work/dump" >"$new"
	if [ ! -e "$work/$name.inc" ]; then
		mv "$new" "$work/$name.inc"
	elif ! same "$work/$name.inc" "$new" >"$work/diff"; then
		echo "cpython-$name.inc: $(version "$dir") ($dir) says otherwise:"
		cat "$work/diff"
	fi
}

# 3.14.0 to 3.14.4 had another collector state than 3.14.5: three members fewer at the end, and the heads named as
# free-threaded headers still name them. Derived from the newer headers, as those of 3.14.0 are not at hand.
derive_incremental()
{
	local dir=$1 copy="$work/incremental/${1##*/}"
	mkdir -p "$work/incremental"
	cp -r "$dir" "${dir%/*}"/*-linux-gnu* "$work/incremental/" 2>/dev/null || cp -r "$dir" "$work/incremental/"
	sed -i '/^struct _gc_runtime_state {/,/^};/ {
		s/^#ifndef Py_GIL_DISABLED/#ifdef LAYOUT_GC_INCREMENTAL/
		/long_lived_total;/d
		/long_lived_pending;/d
		/generation0;/d
	}' "$copy/internal/pycore_interp_structs.h"
	sed -i '/^struct _gc_runtime_state {/,/^};/ {
		/^#ifdef LAYOUT_GC_INCREMENTAL/,/^#endif/ {
			/generations\[/d
			/^#else/d
		}
	}' "$copy/internal/pycore_interp_structs.h"
	# An inline function of pycore_gc.h that nobody calls here still names the member that is gone.
	table "$copy" 3.14.0 -DLAYOUT_GC_INCREMENTAL=1 -Dgeneration0=garbage
}

tables_of()
{
	local dir=$1 full minor
	full=$(version "$dir")
	minor=$(echo "$full" | cut -d. -f1,2)
	echo "$full  $dir"
	table "$dir" "$minor"
	table "$dir" "${minor}d" -DPy_DEBUG=1
	case $full in
	3.13.[0-5]) table "$dir" 3.13t -DPy_GIL_DISABLED=1 ;;
	3.13.*) table "$dir" 3.13.18t -DPy_GIL_DISABLED=1 ;; # a longer PyThreadState, between 3.13.6 and 3.13.18
	3.1[4-9].*) table "$dir" "${minor}t" -DPy_GIL_DISABLED=1 ;;
	esac
	case $full in
	3.14.[0-4]) ;;
	3.14.*) derive_incremental "$dir" ;;
	esac
}

for dir in "$@" $(discover); do
	if [ ! -e "$dir/Python.h" ] || [ ! -d "$dir/internal" ]; then continue; fi
	[ -e "$work/seen${dir//\//_}" ] && continue
	touch "$work/seen${dir//\//_}"
	tables_of "$dir"
done
for file in "$work"/*.inc; do
	mv "$file" "$out/cpython-${file##*/}"
done
