#!/bin/bash
# Tries an archive of the tree as a user without any right, in a folder whose path is 150 characters
# long. ./check starts it as root in mounts of its own (unshare --mount).
#
#   plain-user.sh HOME TOOLCHAIN distcheck|e2e
#
# HOME belongs to that user and holds the archive. It is bound to /mnt, so that no folder above it has to
# let him through; the toolchain likewise.
set -euo pipefail

if [ "$1" != --as-user ]; then
	home=$1 prefix=$2 what=$3
	mount --make-rprivate /
	mount --bind "$home" /mnt
	mkdir -p /mnt/toolchain
	mount --bind -o ro "$prefix" /mnt/toolchain
	owner=$(stat -c %u /mnt)
	install -o "$owner" -m 755 "$0" /mnt/plain-user.sh
	cd /mnt
	exec setpriv --reuid "$owner" --regid "$owner" --clear-groups --inh-caps=-all --bounding-set=-all -- \
		env -i HOME=/mnt PATH=/usr/bin:/bin LC_ALL=C.UTF-8 TMPDIR=/mnt/tmp \
		/mnt/plain-user.sh --as-user "$what"
fi

what=$2
name=$(basename /mnt/*.tar.xz .tar.xz)
long=/mnt
while [ $((${#long} + 1 + ${#name})) -lt 129 ]; do
	long=$long/a-long-name-of-folder
done
pad=$((150 - ${#long} - 2 - ${#name}))
[ $pad -le 0 ] || long=$long/$(printf "%${pad}s" "" | tr ' ' x)
src=$long/$name
echo "source folder of ${#src} characters"
if [ ! -d "$src" ]; then
	mkdir -p "$long"
	tar -xf /mnt/*.tar.xz -C "$long"
fi
mkdir -p "$src/build" /mnt/tmp
cd "$src/build"
[ -f Makefile ] || ../configure --enable-dev
jobs=$(nproc)
if [ "$what" = e2e ]; then
	make -j"$jobs" all
	PENSTOCK_TEST_TOOLCHAIN=/mnt/toolchain make e2e-plain
else
	make -j"$jobs" distcheck-other
fi
left=$(find /mnt/tmp -mindepth 1 | head)
[ -z "$left" ] || { echo "left in TMPDIR: $left"; exit 1; }
