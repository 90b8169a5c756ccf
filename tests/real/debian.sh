#!/bin/bash
# ./quickstart on a Debian 12 that has nothing yet, in a folder made by debootstrap: twice in a row as a user with
# sudo; with `root`, as root too. Then what lies outside its folder is told apart.
#
#   debian.sh ARCHIVE FOLDER [root]      (as root; FOLDER is emptied)
#
# Mirror, certificates and pip's settings are those of this machine, read at run time.
set -euo pipefail

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
enter=$here/in-debian.sh

# ---- inside: the machine is the fresh Debian, we are root in it ----

# Every file outside the folder of the quickstart and pip's cache: path, owner, size, time.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path "$1" -o -path "$2/.cache/pip" \) -prune -o \
		! -type d -printf '%p\t%u\t%s\t%T@\n' | sort
}

# We are process 1 in here: everything else that runs was left behind. It may take a moment to end.
nothing_runs() {
	local left
	for _ in $(seq 50); do
		ps -eo pid=,stat=,args= >/dev/shm/ps
		left=$(awk '$1 != 1 && $2 !~ /Z/ && !($3 == "ps" && $4 == "-eo")' /dev/shm/ps)
		[ -n "$left" ] || return 0
		sleep 0.2
	done
	echo "FAIL: processes left behind by $1:"
	echo "$left"
	exit 1
}

# What differs between two lists of files must be nothing.
nothing_new() {
	local new
	new=$(comm -13 "$2" "$3" | cut -f1)
	[ -z "$new" ] || { echo "FAIL: left outside its folder by $1:"; echo "$new"; exit 1; }
}

run_quickstart() {
	echo "---- quickstart $2, as $(id -un)"
	(cd "$1" && time ./quickstart "$2")
}

as() {
	local who=$1 home=$2
	shift 2
	if [ "$who" = root ]; then
		"$@"
	else
		setpriv --reuid "$who" --regid "$who" --init-groups -- env HOME="$home" USER="$who" "$@"
	fi
}

# Root installs the packages first: what else runs then write outside their folder is nothing. The user
# with sudo starts with nothing installed: outside his folder no file may be his.
inside() {
	local who=$1 home=$2 dir=$2/penstock lists=/dev/shm
	mkdir -p "$dir"
	tar -xf /archive.tar --strip-components=1 -C "$dir"
	chown -R "$who:" "$home"
	rm /archive.tar
	[ "$who" != root ] || as root "$home" "$here_inside" --run "$dir" --deps
	files "$dir" "$home" >$lists/before
	as "$who" "$home" "$here_inside" --run "$dir" --once
	nothing_runs "the first run"
	files "$dir" "$home" >$lists/after1
	if [ "$who" = root ]; then
		nothing_new "the first run" $lists/before $lists/after1
	else
		awk -F'\t' -v who="$who" '$2 == who' $lists/before >$lists/his-before
		awk -F'\t' -v who="$who" '$2 == who' $lists/after1 >$lists/his-after
		nothing_new "the first run" $lists/his-before $lists/his-after
	fi
	if [ "$who" = root ]; then
		echo "PASS: quickstart as root"
		return
	fi
	as "$who" "$home" "$here_inside" --run "$dir" --once
	nothing_runs "the second run"
	files "$dir" "$home" >$lists/after2
	nothing_new "the second run" $lists/after1 $lists/after2
	echo "PASS: quickstart as $who, twice"
}

here_inside=/debian.sh
case ${1:-} in
--inside) shift; inside "$@"; exit 0 ;;
--run) run_quickstart "$2" "$3"; exit 0 ;;
esac

# ---- outside ----

archive=$1 work=$2 too=${3:-}

# The mirror that apt on this machine uses for bookworm main, and what apt is told about reaching it.
mirror() {
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 == "bookworm" && $2 == "main" { print $3; exit }'
}

# Certificates and settings that this machine's pip and apt work with, into root $1; prints the
# environment lines to run with.
carry_settings() {
	local root=$1 name value
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
	echo "127.0.0.1 debian12" >>"$root/etc/hosts"
	apt-config dump | grep -iE '^Acquire::[a-z]+::(proxy|cainfo|verify)' >"$root/etc/apt/apt.conf.d/90machine" || true
	[ ! -f /etc/pip.conf ] || cp -L /etc/pip.conf "$root/etc/pip.conf"
	mkdir -p "$root/opt/settings"
	while IFS='=' read -r name value; do
		case $name in
		PIP_* | SSL_CERT_FILE | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | http_proxy | https_proxy | no_proxy) ;;
		*) continue ;;
		esac
		if [ -e "$value" ]; then	# a certificate file, a folder of wheels
			cp -rL "$value" "$root/opt/settings/$name"
			value=/opt/settings/$name
		fi
		printf '%s=%s\0' "$name" "$value"
	done < <(env)
}

make_root() {
	local root=$1
	cp -a "$work/base" "$root"
	mapfile -d '' settings < <(carry_settings "$root")
	cp "$here/debian.sh" "$root/debian.sh"
	case $archive in	# the smallest Debian has no xz
	*.xz) xz -dc "$archive" ;;
	*.gz) gzip -dc "$archive" ;;
	*) cat "$archive" ;;
	esac >"$root/archive.tar"
}

try() {
	local who=$1 home=$2
	"$enter" "$work/$who" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME="$home" \
		"${settings[@]}" /bin/bash "$here_inside" --inside "$who" "$home"
}

rm -rf "$work"
mkdir -p "$work"
from=$(mirror)
[ -n "$from" ] || { echo "apt knows no mirror for bookworm main" >&2; exit 1; }
echo "---- debootstrap"
debootstrap --variant=minbase bookworm "$work/base" "$from" >"$work/debootstrap.log" 2>&1 ||
	{ tail -n 20 "$work/debootstrap.log"; exit 1; }
[ "$too" != root ] || make_root "$work/root"
make_root "$work/tester"
# a machine has an admin who gave the user sudo before
"$enter" "$work/tester" /bin/sh -ec '
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends sudo >/dev/null 2>&1
	useradd -m -s /bin/bash tester
	echo "tester ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/tester'
rm -rf "$work/base"

try tester /home/tester
[ "$too" != root ] || try root /root
rm -rf "$work"
echo "quickstart works on a fresh Debian 12${too:+, as root and}, twice with sudo"
