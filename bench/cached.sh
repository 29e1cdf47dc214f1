#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench/cached.sh - what a get costs that the cache answers, in the process, on one thread and on two
#
# KEYTURN_PREFIX is an installed copy; CC the compiler. Nothing but a temporary directory is written.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
prefix=${KEYTURN_PREFIX:?names an installed copy: ./dev bench cached sets it}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

export KEYTURN_CONFIG_DIR=$tmp HOME=$tmp XDG_CONFIG_HOME=$tmp XDG_DATA_HOME=$tmp
cat >"$tmp/deepseek" <<END
read   front     cache
read   required  file  path=$tmp/store.db key=$tmp/store.key
write  required  file
END
for name in one two; do
    printf 'sk-0123456789abcdef0123456789abcdef' | "$prefix/bin/keyturn" set "bench/$name" >/dev/null
done
PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # a list of flags
"${CC:-cc}" -O2 -std=gnu11 -o "$tmp/cached" "$here/cached.c" -pthread \
    $(pkg-config --cflags --libs keyturn) -Wl,-rpath,"$prefix/lib"
"$tmp/cached" "$prefix/lib/keyturn/modules" deepseek bench/one bench/two
