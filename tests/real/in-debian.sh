#!/bin/bash
# Runs a command inside a Debian folder as if that were the machine: own mounts, own processes, /proc
# and a small /dev of its own; when the command ends, whatever it left behind ends with it.
#
#   in-debian.sh ROOT COMMAND...      (as root)
#
# pivot_root, not chroot: the kernel refuses new user namespaces to whoever is in a chroot, and
# bubblewrap needs one when its caller is not root.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
	exec unshare --mount --pid --ipc --uts --fork --kill-child "$0" --inside "$@"
fi
root=$2
shift 2

hostname debian12
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for node in null zero full random urandom tty; do
	: >"dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
pivot_root . .
umount -l .
cd /
exec "$@"
