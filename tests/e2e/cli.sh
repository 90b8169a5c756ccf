#!/bin/bash
# The commands that need no agent, each as a person would type it: exit code and text.
set -u
build=$PWD
src=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/ps-cli-XXXXXX") || exit 99
trap 'rm -rf "$top"' EXIT
export LC_ALL=C.UTF-8 HOME=$top GIT_CONFIG_NOSYSTEM=1
unset PENSTOCK_INSTANCE PENSTOCK_AS NO_COLOR CLICOLOR_FORCE PENSTOCK_ASCII
cd "$top" || exit 99
failed=0 n=0

# try NAME CODE TEXT... -- ARGUMENTS: runs penstock, compares its exit code, looks for each text
try() {
	local name=$1 code=$2 out rc texts=()
	shift 2
	while [ "$1" != -- ]; do texts+=("$1"); shift; done
	shift
	n=$((n + 1))
	out=$("$build/penstock" "$@" 2>&1)
	rc=$?
	[ $rc -eq "$code" ] || { echo "FAIL $name: exit $rc, wanted $code: $out"; failed=$((failed + 1)); return; }
	for t in "${texts[@]}"; do
		case $out in
		*"$t"*) ;;
		*) echo "FAIL $name: '$t' is not in: $out"; failed=$((failed + 1)); return ;;
		esac
	done
}

# must NAME COMMAND...: the command succeeds
must() {
	local name=$1
	shift
	n=$((n + 1))
	"$@" >/dev/null 2>&1 || { echo "FAIL $name: $*"; failed=$((failed + 1)); }
}

try "no command" 2 "usage: penstock" --
try "help" 0 "status" "install " "next: penstock help COMMAND" -- help
# the table of commands: each is explained, with an example of itself, in the manual page, and completed
mapfile -t commands < <("$build/penstock" __complete --list)
must "what stands in a usage is known to the completion" "$build/penstock" __complete --list
for c in "${commands[@]}"; do
	# shellcheck disable=SC2086
	try "help of $c" 0 "usage: penstock $c" "example: penstock $c" -- help $c
	must "$c is in the manual page" grep -q "^\\*$c\\*\|, \\*$c\\*" "$src/docs/man/penstock.1.scd"
	# shellcheck disable=SC2086
	case $c in
	*" "*) try "$c is completed" 0 "${c#* }" -- __complete -- penstock ${c% *} "" ;;
	*) try "$c is completed" 0 "$c	" -- __complete -- penstock "${c%?}" ;;
	esac
	# shellcheck disable=SC2086
	for o in $("$build/penstock" help $c | sed -n 's/^  .*\(--[a-z-]*\).*/\1/p'); do
		try "$c $o is completed" 0 "$o" -- __complete -- penstock $c "$o"
	done
done
must "those are all" test ${#commands[@]} -ge 70
try "unknown" 2 "error: unknown command 'statsu'" "hint: the nearest is status" -- statsu
try "unknown and far" 2 "error: unknown command 'zzzzzzz'" -- zzzzzzz
try "unknown option" 2 "'events' has no option '--colour'" -- events --colour
try "an argument too many" 2 "one argument too many" -- history a b
try "an argument missing" 2 "usage: penstock history FABRIC" -- history
try "a value missing" 2 "'-C' needs a value" -- status -C
try "bad colour" 2 "--color is 'always', 'never' or 'auto'" -- --color=maybe help
try "version" 0 "penstock " -- --version
try "no instance" 1 "/etc/penstock/penstock.yml" "next: penstock init DIR" -- status
try "no such instance" 1 "cannot open the instance" -- -C "$top/none" status

# init
mkdir full && echo x >full/file
try "init in a full folder" 1 "is not empty and no instance: it has 'file'" -- init full
must "and nothing was made" test "$(ls full)" = file
try "init without a folder" 2 "the folder of the instance is missing" -- init
try "init with a bad toolchain" 1 "is no toolchain" -- init one --toolchain full
must "and nothing was made" test ! -e one
try "init" 0 "made the instance '$top/one'" "next: penstockd --detach $top/one" -- init one
try "init again" 0 "there is an instance already" -- init one
try "init as JSON" 0 '"state": "exists"' -- init one --json
must "the key is ours alone" test "$(stat -c %a one/keys/release.key)" = 600
must "its public half is everybody's" test "$(stat -c %a one/keys/release.pub)" = 644
must "the spool takes, and shows nothing" test "$(stat -c %a one/state/spool)" = 3773
key=$(cat one/keys/release.key)
rm -r one/logs one/penstock.yml
try "init goes on where it was cut short" 0 "made the instance" -- init one
must "with the key it had" test "$key" = "$(cat one/keys/release.key)"
must "and the folder that was missing" test -d one/logs
mkdir -p prefix/bin && ln -s /usr/bin/python3 prefix/bin/python3
try "init with a toolchain" 0 "made the instance" -- init "two words" --toolchain prefix
must "it is named" grep -q "$top/prefix" "two words/penstock.yml"
mkdir "it's"
try "init with a quote" 0 "next: penstockd --detach '$top/it'\\''s'" -- init "it's"
try "a command for a folder with a blank" 3 "next: penstockd --detach '$top/two words'" -- -C "two words" status

# config check, which
export PENSTOCK_INSTANCE=$top/one
try "config check" 0 "ok: " -- config check
try "config check as JSON" 0 '"items": []' -- config check --json
cp one/penstock.yml good.yml
printf 'colour: red\nfabrics: 5\n' >bad.yml
try "config check of a bad file" 1 "bad.yml:1:1: error: " "bad.yml:2:10: error: " "2 errors" -- config check bad.yml
try "config check as JSON" 1 '"state": "error"' '"line": 1' -- config check bad.yml --json
try "config check of nothing" 1 "cannot" -- config check none.yml
try "which" 0 "development" "penstock.yml:" -- which main
try "which of a tag" 0 "production" -- which refs/tags/v1.0
try "which, all rules" 0 "airflow" "production" -- which --all main
try "which, nowhere" 1 "nowhere: no rule" -- which refs/heads/feature
try "which as JSON" 0 '"ref": "refs/heads/main"' '"fabric": "development"' -- which --json main
cp bad.yml one/penstock.yml
try "which with a bad configuration" 1 "the configuration has errors" "next: penstock config check" -- which main
cp good.yml one/penstock.yml

# install, uninstall
git init -q --bare one/repos/shop.git
git init -q --bare out.git
git init -q --bare one/repos/own.git
hooks=one/repos/shop.git/hooks
try "install, no repository" 1 "is no Git repository" -- install full
try "install, below no root" 1 "is below no root" "path: $top, identity: uid" -- install out.git
must "and nothing was made" test ! -e out.git/hooks/pre-receive
git -C one/repos/own.git config core.hooksPath /elsewhere
try "install, hooks are elsewhere" 1 "core.hooksPath to '/elsewhere'" -- install one/repos/own.git
try "install" 0 "installed into '$top/one/repos/shop.git' as shop" -- install one/repos/shop.git
for h in pre-receive post-receive; do
	must "$h is a link" test "$(readlink $hooks/$h)" = "$build/penstock-hook"
done
must "three absolute paths" test "$(grep -c '^/' $hooks/penstock.hook)" = 3
must "the first is the hooks' socket" test "$(head -n 1 $hooks/penstock.hook)" = "$top/one/run/hook.sock"
must "the last can be run" test -x "$(tail -n 1 $hooks/penstock.hook)"
id=$(git -C one/repos/shop.git config penstock.id)
must "an id" test ${#id} = 32
must "keep refs are hidden" test "$(git -C one/repos/shop.git config transfer.hideRefs)" = refs/penstock
must "push options are told" test "$(git -C one/repos/shop.git config receive.advertisePushOptions)" = true
cp one/repos/shop.git/config before
try "install again" 0 "already installed" -- install one/repos/shop.git
must "nothing was added" cmp before one/repos/shop.git/config
try "another instance" 1 "is bound to the instance '$top/one'" "next: penstock -C $top/one uninstall" -- -C "two words" uninstall one/repos/shop.git
must "and nothing was removed" test -L $hooks/pre-receive
try "uninstall" 0 "uninstalled from" -- uninstall one/repos/shop.git
must "nothing of ours is left" test ! -e $hooks/pre-receive -a ! -e $hooks/post-receive -a ! -e $hooks/penstock.hook
try "uninstall again" 0 "no hook of penstock in" -- uninstall one/repos/shop.git
try "install as JSON" 0 '"id": "shop"' '"state": "installed"' -- install one/repos/shop.git --json
must "another id" test "$id" != "$(git -C one/repos/shop.git config penstock.id)"
git init -q --bare one/repos/second.git
try "install in many" 0 "1 installed, 1 as they were, 0 refused" "next: penstock doctor" -- install one/repos/shop.git one/repos/second.git
try "a dry run" 0 "0 would be installed, 2 as they were" -- install --all --dry-run one/repos/shop.git one/repos/second.git

# whatever goes wrong, the last line is what to type
for c in "${commands[@]}"; do
	case $c in init | check | restore | "key rotate" | "policy export") continue ;; esac
	n=$((n + 1))
	# shellcheck disable=SC2086
	out=$("$build/penstock" $c 2>&1 </dev/null) && continue
	case $out in
	*"next: "*) ;;
	*) echo "FAIL $c names no next command: $out"; failed=$((failed + 1)) ;;
	esac
done

# without an agent
try "status" 3 "error: the agent does not run" "next: penstockd --detach $top/one" -- status
try "events" 3 "the agent does not run" -- events
try "why" 3 "the agent does not run" -- why main
try "run" 3 "the agent does not run" -- run job --fabric development
try "reload" 3 "the agent does not run" -- reload
try "stop" 0 "no agent runs here" -- stop
try "a long path" 0 "made the instance" -- init "$(printf 'x%.0s' {1..150})"
try "its socket" 3 "the agent does not run" -- -C "$(printf 'x%.0s' {1..150})" status

echo "$n checks, $failed failed"
[ $failed -eq 0 ]
