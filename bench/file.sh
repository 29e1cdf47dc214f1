#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench/file.sh - the file module at 1,000 and at a million secrets, beside plain SQLite
#
# Reads, durable writes, the longest wait of four writers, a whole list, room on disk: see file.c.
# KEYTURN_PREFIX is an installed copy; CC the compiler. Writes only temporary directories: one in
# memory, where syncs are free and only CPU is left, and one on the disk of TMPDIR (/var/tmp).
# SECRETS is the larger number (1000000), SPAN for how many seconds writers write (20).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
prefix=${KEYTURN_PREFIX:?names an installed copy: ./dev bench file sets it}
secrets=${SECRETS:-1000000}
span=${SPAN:-20}
few=1000

disk=$(mktemp -d "${TMPDIR:-/var/tmp}/keyturn-bench.XXXXXX")
memory=$(mktemp -d /dev/shm/keyturn-bench.XXXXXX 2>/dev/null || mktemp -d)
trap 'rm -rf "$disk" "$memory"' EXIT
export HOME=$disk XDG_CONFIG_HOME=$disk XDG_DATA_HOME=$disk

PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # a list of flags
"${CC:-cc}" -O2 -std=gnu11 -D_GNU_SOURCE -rdynamic -o "$disk/file" "$here/file.c" \
    $(pkg-config --cflags --libs keyturn sqlite3) -Wl,-rpath,"$prefix/lib"

for place in "$memory" "$disk"; do
    mkdir -m 700 "$place/config"
    for size in few many; do
        printf '%s required file path=%s key=%s\n' read "$place/$size.db" "$place/key" \
            write "$place/$size.db" "$place/key" >"$place/config/$size"
    done
done

# file PLACE COMMAND...
file()
{
    local place=$1
    shift
    KEYTURN_CONFIG_DIR=$place/config "$disk/file" "$prefix/lib/keyturn/modules" "$@"
}

# fresh PLACE - the stores as they were built, and databases of plain SQLite like them
fresh()
{
    rm -f "$1"/*.db "$1"/*.db-*
    cp "$memory"/built/* "$1"
    sync -f "$1"
}

file "$memory" build few "$few"
file "$memory" build many "$secrets"
file "$memory" plain "$memory/few.db" "$memory/plain-few.db"
file "$memory" plain "$memory/many.db" "$memory/plain-many.db"
mkdir "$memory/built"
mv "$memory"/*.db "$memory/built"
cp "$memory/key" "$memory/built"

for place in "$disk" "$memory"; do
    fresh "$place"
    where="on the disk"
    [ "$place" = "$disk" ] || where="in memory: CPU alone"
    echo
    echo "reads, $where"
    file "$place" gets "few=$few" "many=$secrets"
    echo "writes beside plain SQLite, $where, of $few"
    file "$place" puts "few=$few" "$place/plain-few.db"
    echo "writes beside plain SQLite, $where, of $secrets"
    file "$place" puts "many=$secrets" "$place/plain-many.db"
done

echo
echo "one writer and four, on the disk, of $few and of $secrets"
for size in few many; do
    file "$disk" writers "$size" 1 "$span"
    file "$disk" writers "$size" 4 "$span"
done

echo
echo "keyturn list, of $secrets"
file "$memory" memory "$prefix/bin/keyturn" -s many list
