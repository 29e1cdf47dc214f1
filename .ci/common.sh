#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Packages, building and results: what every command of ./dev stands on. Sourced by it with $here set.
# No function relies on `set -e`: bash switches it off wherever a result is asked for.
# shellcheck disable=SC2154,SC2034

jobs=${JOBS:-$(nproc)}

say()
{
    printf '\n== %s\n' "$*"
}

die()
{
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

# ---- packages ------------------------------------------------------------------------------------

# what `run` needs: the library, the program and the file backend
run_packages=(gcc make autoconf automake libtool pkg-config libc6-dev libsqlite3-dev libgcrypt20-dev)
build_packages=("${run_packages[@]}" libsecret-1-dev)
test_packages=("${build_packages[@]}" check libpam0g-dev libpam-modules python3 util-linux
    dbus libglib2.0-bin gnome-keyring libsecret-tools keepassxc python3-gi git pass gnupg python3-keyring strace zsh)

# what can be left out of a build, and is not here
parts=(--with-file --with-keyring)

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        # -E: proxies and certificates that the environment names hold for apt-get too.
        sudo -E "$@"
    fi
}

missing()
{
    local p
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done
}

# need PACKAGE... - install what is not there; no network if all is
need()
{
    local -a lack
    command -v dpkg-query >/dev/null ||
        die "this is no Debian or Ubuntu: install the like of '$*', then use configure and make"
    mapfile -t lack < <(missing "$@")
    [ "${#lack[@]}" -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        die "cannot install ${lack[*]}: run this as root, or install sudo"
    say "installing ${lack[*]}"
    mkdir -p "$build"
    quiet "$build/apt.log" as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
        die "apt-get update failed: cannot install ${lack[*]}"
    quiet "$build/apt.log" as_root env DEBIAN_FRONTEND=noninteractive apt-get -qqy \
        --no-install-recommends -o Dpkg::Use-Pty=0 install "${lack[@]}" ||
        die "cannot install ${lack[*]}"
}

# The sanitizers' and fuzzer's runtime is a package of its own from clang 14 on Debian 12 on.
need_clang()
{
    local major
    need "$@" clang llvm
    [ -z "$(find "$(clang -print-runtime-dir)" -name '*fuzzer*' 2>/dev/null)" ] || return 0
    major=$(clang -dumpversion)
    need "libclang-rt-${major%%.*}-dev"
}

# ---- building ------------------------------------------------------------------------------------

# Could somebody else than root and us change what lies here? The rule of keyturn.d(5).
untrusted()
{
    local dir=$1 uid mode gid
    while :; do
        read -r uid gid mode < <(stat -c '%u %g %a' "$dir")
        mode=$((8#$mode))
        if [ "$uid" -ne 0 ] && [ "$uid" -ne "$(id -u)" ]; then
            echo "$dir belongs to another user"
            return
        fi
        if ! { [ "$uid" -eq 0 ] && [ $((mode & 8#1000)) -ne 0 ]; }; then
            if [ $((mode & 8#002)) -ne 0 ] ||
                { [ $((mode & 8#020)) -ne 0 ] && [ "$gid" -ne 0 ] && [ "$gid" -ne "$(id -g)" ]; }; then
                echo "$dir can be written by others"
                return
            fi
        fi
        [ "$dir" != / ] || return 0
        dir=$(dirname "$dir")
    done
}

build=$here/build
why=$(untrusted "$here")
if [ -n "$why" ]; then
    build=$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/keyturn-build/$(printf %s "$here" | cksum | cut -d' ' -f1)
fi

# quiet LOG COMMAND... - run it; its output is shown only if it fails
quiet()
{
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        printf 'dev: failed: %s\n     whole log: %s\n' "$*" "$log" >&2
        return 1
    fi
}

bootstrap()
{
    if [ ! -e "$here/configure" ] || [ ! -e "$here/Makefile.in" ] ||
        [ -n "$(find "$here" -path "$here/build" -prune -o \
            \( -name '*.am' -o -name configure.ac -o -path '*/m4/keyturn.m4' \) \
            -newer "$here/configure" -print -quit)" ]; then
        say "making configure"
        (cd "$here" && quiet "$build/autoreconf.log" autoreconf -fi && touch configure) || return 1
    fi
}

# lane NAME CONFIGURE-ARGUMENT... - configure in build/NAME, unless that stands already
lane()
{
    local dir=$build/$1 args
    shift
    umask 022
    mkdir -p "$dir" || return 1
    if [ -n "$why" ] && [ -z "${told:-}" ]; then
        printf 'building in %s: %s\n' "$build" "$why"
        told=yes
    fi
    bootstrap || return 1
    args=$(printf '%q ' "$@")
    if [ ! -e "$dir/config.status" ] || [ "$here/configure" -nt "$dir/config.status" ] ||
        [ "$args" != "$(cat "$dir/configure.args" 2>/dev/null)" ]; then
        (cd "$dir" && quiet configure.log "$here/configure" "$@") || return 1
        printf %s "$args" >"$dir/configure.args"
    fi
}

# The machine's own places inside the lane: nothing outside build/ is read or written.
private_places()
{
    printf -- '--prefix=%s\n--sysconfdir=%s\n--localstatedir=%s\n' "$1" "$1/etc" "$1/var"
}

compile()
{
    local name=$1
    shift
    quiet "$build/$name/make.log" make -C "$build/$name" -j"$jobs" "$@"
}

# ---- results -------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0

# count FILE.trs... - add up what automake's TAP driver noted
count()
{
    local p f s
    [ "$#" -gt 0 ] || return 0
    read -r p f s < <(awk '
        /^:test-result: (PASS|XFAIL)/ { p++ }
        /^:test-result: (FAIL|XPASS|ERROR)/ { f++ }
        /^:test-result: SKIP/ { s++ }
        END { print p + 0, f + 0, s + 0 }' "$@")
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

results()
{
    find "$1" -name '*.trs' -print
}

# Tests that did not pass, with what they said.
complain()
{
    local trs
    while read -r trs; do
        if grep -qE '^:test-result: (FAIL|XPASS|ERROR)' "$trs"; then
            printf '\n-- %s\n' "${trs%.trs}.log"
            grep -vE '^ok |^PASS:' "${trs%.trs}.log" | tail -n 60
        fi
    done < <(results "$1") >&2
    while read -r trs; do
        grep -HE '^:test-result: SKIP' "$trs" | sed "s|^$1/||" >&2 || true
    done < <(results "$1")
}

# check LANE TARGET [VARIABLE=VALUE...] - run tests, without address randomisation where that can be
# had: the sanitizers' fixed shadow does not go with every kernel's.
check()
{
    local name=$1 target=$2
    local -a fixed=()
    shift 2
    if setarch -R true 2>/dev/null; then fixed=(setarch -R); fi
    find "$build/$name" -name '*.trs' -delete
    if ! "${fixed[@]}" make -C "$build/$name" -k -j"$jobs" "$target" "$@" >"$build/$name/check.log" 2>&1; then
        [ -n "$(results "$build/$name")" ] || tail -n 60 "$build/$name/check.log" >&2
        complain "$build/$name"
        printf 'dev: %s: tests failed; whole log: %s\n' "$name" "$build/$name/check.log" >&2
        return 1
    fi
    if [ -z "$(results "$build/$name")" ]; then
        printf 'dev: %s: no test ran\n' "$name" >&2
        return 1
    fi
    grep -E '^# (TOTAL|PASS|SKIP|FAIL|ERROR)' "$build/$name/check.log" | tr '\n' ' '
    echo
}

# ---- lanes of many checks --------------------------------------------------------------------------

# step NAME COMMAND... - one check of a lane; the lane goes on, and fails in the end
broken=()
step()
{
    local name=$1
    shift
    say "$name"
    if ! "$@"; then
        broken+=("$name")
        echo "FAILED: $name" >&2
    fi
}

verdict()
{
    if [ "${#broken[@]}" -gt 0 ]; then
        printf '\ndev: %s failed:' "$1" >&2
        printf ' [%s]' "${broken[@]}" >&2
        echo >&2
        return 1
    fi
    printf '\n%s: all is well\n' "$1"
}
