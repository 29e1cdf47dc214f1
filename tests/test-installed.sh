#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a packager gets is complete, and programs and modules are built with that alone: the examples.
set -u
. "${srcdir:?}/tests/installed.sh"

log=$TESTTMP/log
work=$TESTTMP/work
mkdir "$work" && cp "$srcdir"/examples/* "$work" && cd "$work" || exit 99
# The words are to be split: they are flags.
# shellcheck disable=SC2046
build() { $CC -Wall -Wextra -Werror -o "$1" "${@:2}" >"$log" 2>&1; }
cflags=$(pkg-config --cflags keyturn) libs=$(pkg-config --libs keyturn)
read -ra cflags <<<"$cflags"
read -ra libs <<<"$libs"

# ---- make install DESTDIR= ------------------------------------------------------------------------

dest=$TESTTMP/dest
env -u MAKEFLAGS -u MAKELEVEL -u DESTDIR make -C "$builddir" install DESTDIR="$dest" >"$log" 2>&1
result $? "make install DESTDIR=" "$log"

functions=$(sed -n 's/^KT_API .*\b\(kt_[a-z_]*\)(.*/\1/p' "$srcdir/src/include/keyturn/keyturn.h")
want="bin/keyturn libkeyturn.so libkeyturn.so.0
    include/keyturn/keyturn.h include/keyturn/module.h include/keyturn/status.h include/keyturn/types.h
    pkgconfig/keyturn.pc
    keyturn/modules/cache.so keyturn/modules/debug.so keyturn/modules/env.so keyturn/modules/file.so
    bash-completion/completions/keyturn(.bash)? zsh/site-functions/_keyturn
    examples/README.md examples/ctypes_get.py examples/dlopen.c examples/echo.c examples/link.c
    man1/keyturn.1 man5/keyturn.d.5 man3/libkeyturn.3 man3/keyturn-module.3
    man8/keyturn-cache.8 man8/keyturn-debug.8 man8/keyturn-env.8 man8/keyturn-file.8
    $(for f in $functions; do echo "man3/$f.3"; done)"
find "$dest" \( -type f -o -type l \) >"$TESTTMP/files"
for f in $want; do
    grep -qE "/$f\$" "$TESTTMP/files" || echo "missing: $f"
done >"$log"
[ ! -s "$log" ]
result $? "what is installed is complete, with a page for each function" "$log"

# A page that includes another is one line, and the other is there.
find "$dest" -path '*/man/man*' -type f | while read -r page; do
    to=$(sed -n '1s/^\.so //p' "$page")
    [ -z "$to" ] || [ -f "$(dirname "$page")/../$to" ] || echo "$page: $to is not there"
done >"$log"
[ ! -s "$log" ]
result $? "pages include pages that are there" "$log"

grep -rlF "$dest" "$dest" >"$log"
[ ! -s "$log" ]
result $? "nothing that is installed knows the staging place" "$log"

# ---- the examples ---------------------------------------------------------------------------------

build link link.c "${cflags[@]}" "${libs[@]}"
result $? "link.c builds by pkg-config" "$log"
printf 'sk-ex\0ample\n' >value
id=$(./link set deepseek/api-key <value 2>"$log") && [[ $id =~ ^[0-9a-f-]{36}$ ]]
result $? "link.c stores a value and tells its version" "$log"
./link get deepseek/api-key >got 2>"$log" && cmp -s value got
result $? "link.c reads it back, each byte" "$log"
./link get deepseek/absent >got 2>"$log"
[ $? -eq 3 ] && [ ! -s got ]
result $? "link.c ends with the status's exit code" "$log"
keyturn get deepseek/api-key >got 2>"$log" && cmp -s value got
result $? "keyturn reads what link.c stored" "$log"
printf sk-example | keyturn set deepseek/api-key >"$log" 2>&1
result $? "keyturn stores a second version" "$log"

build dlopen dlopen.c "${cflags[@]}"
result $? "dlopen.c builds without the library" "$log"
readelf -d dlopen >"$log" && ! grep -q 'NEEDED.*libkeyturn' "$log"
result $? "dlopen.c does not need the library" "$log"
[ "$(./dlopen deepseek/api-key 2>"$log")" = sk-example ]
result $? "dlopen.c reads the value" "$log"
env -u LD_LIBRARY_PATH ./dlopen deepseek/api-key >got 2>"$log"
rc=$?
[ $rc -eq 1 ] || { [ $rc -eq 0 ] && [ "$(cat got)" = sk-example ]; } # a copy may be installed elsewhere
result $? "dlopen.c ends decently where there is no library" "$log"
[ "$(python3 ctypes_get.py deepseek/api-key 2>"$log")" = sk-example ]
result $? "ctypes_get.py reads the value" "$log"
python3 ctypes_get.py deepseek/absent >got 2>"$log"
[ $? -eq 3 ]
result $? "ctypes_get.py ends with the status's exit code" "$log"

mkdir "$work/modules"
build modules/echo.so -shared -fPIC echo.c "${cflags[@]}"
result $? "echo.c builds with the headers alone" "$log"
keyturn --module-dir "$work/modules" modules echo >"$log" 2>&1 && grep -q echo "$log"
result $? "keyturn modules knows echo" "$log"
keyturn --module-dir "$work/modules" conform echo >"$log" 2>&1
result $? "echo passes conform" "$log"

plan
