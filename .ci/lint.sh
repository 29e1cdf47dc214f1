#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# ./dev lint: what can be said against the tree without running it. Sourced by dev.
# shellcheck disable=SC2154

c_files()
{
    find "$here"/{src,backends,tests,examples,bench} -name '*.c' | sort
}

lint_clang()
{
    lane clang CC=clang CFLAGS='-O2 -g' --enable-strict --enable-tests "${parts[@]}" &&
        compile clang all && compile clang check TESTS=
}

lint_analyzer()
{
    # Only what the product is made of. gcc 12 takes whatever is stored behind a pointer for leaked:
    # LeakSanitizer and valgrind look for leaks.
    lane analyzer CFLAGS='-O2 -g -fanalyzer -Wno-analyzer-malloc-leak' --enable-strict --disable-tests "${parts[@]}" &&
        compile analyzer all
}

lint_tidy()
{
    local -a flags=(-std=gnu11 -D_GNU_SOURCE "-I$here/src/include" "-I$here/src" "-I$here/tests"
        "-I$build/clang" '-DKT_VERSION="0"' '-DKT_MODULE_DIR="/m"' '-DKT_SYSCONF_DIR="/s"'
        '-DKT_KEY_DIR="/k"' '-DKT_STATE_DIR="/v"' '-DMOCK_NAME="m"') of_libsecret
    read -ra of_libsecret < <(pkg-config --cflags libsecret-1 gio-unix-2.0)
    flags+=("${of_libsecret[@]}")
    if ! c_files | xargs -P "$jobs" -I '{}' clang-tidy --quiet '{}' -- "${flags[@]}" \
        >"$build/tidy.log" 2>&1; then
        # How many warnings of system headers were held back is said whatever --quiet says.
        grep -vE '^[0-9]+ warnings? (generated|treated)' "$build/tidy.log" >&2
        return 1
    fi
}

lint_cppcheck()
{
    mkdir -p "$build/cppcheck"
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr -j "$jobs" \
        --error-exitcode=1 --cppcheck-build-dir="$build/cppcheck" --library=posix,gnu \
        --suppress=missingIncludeSystem --suppressions-list="$here/.ci/cppcheck-suppressions" -D_GNU_SOURCE -I "$here/src/include" -I "$here/src" \
        "$here/src" "$here/backends"
}

shell_files()
{
    find "$here"/{dev,.ci,bench,tests,completions} -type f | sort | while read -r f; do
        case $f in
        *.sh | *.bash) echo "$f" ;;
        *) if head -n 1 "$f" | grep -qaE '^#! ?/bin/(ba)?sh'; then echo "$f"; fi ;;
        esac
    done
}

lint_shell()
{
    local -a files
    mapfile -t files < <(shell_files)
    shellcheck -x "${files[@]}" && zsh -n "$here/completions/_keyturn"
}

lint_words()
{
    codespell --skip "$here/build,$here/build-aux,$here/.git,$here/autom4te.cache,$here/m4/l*.m4,$here/configure*,$here/aclocal.m4,$here/Makefile.in,$here/LICENSE,$here/tests/fuzz/corpus" \
        --ignore-words-list=nd,fo,childs,succes,requird,debugg,rotat,regio "$here"
}

lint_manual()
{
    local f rc=0
    compile clang all || return 1
    while read -r f; do
        mandoc -T lint -W warning "$f" || rc=1
    done < <(find "$here/man" "$build/clang/man" -name '*.[1-9]' ! -exec grep -q '^\.so ' {} \; -print)
    return "$rc"
}

lint_format()
{
    local version
    version=$(clang-format --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
    if [ "$version" != 14 ]; then
        echo "not checked: the tree is formatted with clang-format 14, this one is $version"
        return 0
    fi
    find "$here"/{src,backends,tests,examples,bench} -name '*.[ch]' | sort | while read -r f; do
        clang-format "$f" | cmp -s - "$f" || echo "$f"
    done >"$build/format.log"
    [ -s "$build/format.log" ] || return 0
    cat "$build/format.log" >&2
    echo "not formatted; clang-format -i is the remedy" >&2
    return 1
}

# What the objects export and need: the map, the header and the file must say the same.
lint_symbols()
{
    local lib=$build/clang/.libs/libkeyturn.so map=$here/src/core/libkeyturn.map so rc=0
    compile clang all || return 1
    diff <(sed -n 's/^ *\(kt_[a-z_]*\);/\1/p' "$map" | sort) \
        <(grep -o '\bkt_[a-z_]*(' "$here/src/include/keyturn/keyturn.h" | tr -d '(' | sort -u) || {
        echo "src/core/libkeyturn.map (<) and keyturn.h (>) differ" >&2
        rc=1
    }
    diff <(sed -n 's/^ *\(kt_[a-z_]*\);/\1/p' "$map" | sort) <(exported "$lib") || {
        echo "libkeyturn.map (<) and libkeyturn.so (>) differ" >&2
        rc=1
    }
    if needed "$lib" | grep -vE '^(libc\.so\.6|ld-linux.*)$'; then
        echo "libkeyturn needs more than libc" >&2
        rc=1
    fi
    for so in $(sed -n 's/^keyturnmod_LTLIBRARIES = *//p' "$build/clang/Makefile" | tr -d '\134'); do
        so=$build/clang/.libs/${so%.la}.so
        [ -e "$so" ] || continue
        if [ "$(exported "$so")" != kt_module ]; then
            echo "$so exports: $(exported "$so" | tr '\n' ' ')" >&2
            rc=1
        fi
        if needed "$so" | grep libkeyturn; then
            echo "$so needs libkeyturn" >&2
            rc=1
        fi
    done
    return "$rc"
}

exported()
{
    nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}

needed()
{
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

# The arrows of the design: who may include what.
lint_layers()
{
    local rc=0
    if grep -rnE '#include [<"](core|cli|\.\.)/' "$here/backends" "$here/src/kit"; then rc=1; fi
    if grep -rnE '#include <keyturn/keyturn\.h>' "$here/backends" "$here/src/kit"; then rc=1; fi
    # The command line reads JSON, and judges who may write a file, as the library does: the same files are
    # compiled in twice. conform and copy follow a module's capabilities.
    if grep -rnE '#include [<"](core|\.\.)/|#include <keyturn/module\.h>' "$here/src/cli" |
        grep -vE '"core/(field|find|jsontext|path)\.h"|(conform-battery\.h|copying-side\.c):'; then rc=1; fi
    if grep -rnE '#include [<"](cli|kit)/|#include <(openssl|gcrypt|curl|json-c|glib|sqlite3)' "$here/src/core"; then rc=1; fi
    [ "$rc" -eq 0 ] || echo "a layer includes what it must not know" >&2
    return "$rc"
}

lint_dist()
{
    lane dist CFLAGS='-O2 -g' --enable-strict --enable-tests "${parts[@]}" || return 1
    quiet "$build/dist/distcheck.log" make -C "$build/dist" -j"$jobs" distcheck CAMPAIGN_TESTS= || {
        find "$build/dist" -name test-suite.log -exec tail -n 60 {} + >&2
        return 1
    }
}

cmd_lint()
{
    need "${test_packages[@]}" binutils xz-utils clang clang-tidy clang-format cppcheck shellcheck zsh \
        codespell mandoc
    step "clang, warnings as errors" lint_clang
    step "layers" lint_layers
    step "exported symbols and needed libraries" lint_symbols
    step "clang-format" lint_format
    step "shellcheck" lint_shell
    step "codespell" lint_words
    step "manual pages" lint_manual
    step "cppcheck" lint_cppcheck
    step "clang-tidy" lint_tidy
    step "gcc -fanalyzer" lint_analyzer
    step "make distcheck" lint_dist
    verdict lint
}
