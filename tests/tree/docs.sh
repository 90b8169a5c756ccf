#!/bin/sh
# Generated documents are what their tables say now.
set -eu
srcdir=${srcdir:-.}
./test_wire --document | diff -u "$srcdir/docs/wire.md" - || {
	echo "FAIL: docs/wire.md is stale; make it again: make docs" >&2
	exit 1
}
./penstock rules --markdown | diff -u "$srcdir/docs/rules.md" - || {
	echo "FAIL: docs/rules.md is stale; make it again: make docs" >&2
	exit 1
}
