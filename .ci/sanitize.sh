#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# ./dev sanitize, coverage and fuzz: the tests, watched. Sourced by dev.
# shellcheck disable=SC2154

asan_options=detect_stack_use_after_return=1:handle_segv=0
ubsan_options=print_stacktrace=1

asan_lane()
{
    lane asan CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all' \
        --disable-hardening --enable-tests "${parts[@]}"
}

san_asan()
{
    asan_lane &&
        compile asan all && compile asan check TESTS= &&
        ASAN_OPTIONS=$asan_options UBSAN_OPTIONS=$ubsan_options check asan check CAMPAIGN_TESTS=
}

san_tsan()
{
    lane tsan CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=thread' \
        --disable-hardening --enable-tests "${parts[@]}" &&
        compile tsan all && compile tsan check TESTS= &&
        TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 check tsan check-threads
}

san_valgrind()
{
    lane valgrind CFLAGS='-O1 -g' --disable-hardening --enable-tests "${parts[@]}" &&
        compile valgrind all && compile valgrind check TESTS= && check valgrind check-memory
}

# covered DIRECTORY - print its line coverage; 90 % is wanted
covered()
{
    say "coverage of $1"
    gcovr --root "$here" --filter "$here/$1/" --exclude-unreachable-branches --fail-under-line 90 \
        --sort-percentage "$build/coverage/$1"
}

cmd_coverage()
{
    need "${test_packages[@]}" gcovr
    lane coverage CFLAGS='-O0 -g --coverage -fprofile-update=atomic' --disable-hardening \
        --enable-tests "${parts[@]}" &&
        compile coverage all && compile coverage check TESTS= || return 1
    find "$build/coverage" -name '*.gcda' -delete
    # A test that kills a writer may cut its counts short; whoever adds to them next would say so on
    # standard error, in the middle of another test.
    GCOV_ERROR_FILE=$build/coverage/gcov.log check coverage check CAMPAIGN_TESTS= || return 1
    covered src/core && covered backends/file
}

cmd_sanitize()
{
    need "${test_packages[@]}" valgrind gcovr libc6-dbg
    step "ASan and UBSan" san_asan
    step "TSan" san_tsan
    step "valgrind" san_valgrind
    step "coverage" cmd_coverage
    verdict sanitize
}

cmd_fuzz()
{
    local seconds=${1:-60} each name dir
    local -a targets
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "fuzz: SECONDS is a whole number from 1 on"
    need_clang "${test_packages[@]}"
    dir=$build/fuzz
    lane fuzz CC=clang CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
        LIB_FUZZING_ENGINE=-fsanitize=fuzzer,address,undefined --disable-hardening --enable-tests "${parts[@]}"
    say "building the fuzz targets"
    compile fuzz all || return 1
    compile fuzz fuzzers || return 1
    read -ra targets < <(make -s -C "$dir" print-fuzzers)
    [ "${#targets[@]}" -gt 0 ] || die "fuzz: there is no fuzz target"
    each=$((seconds / ${#targets[@]}))
    [ "$each" -gt 0 ] || each=1
    for target in "${targets[@]}"; do
        name=$(basename "$target" _fuzzer)
        mkdir -p "$dir/corpus/$name" "$dir/findings"
        say "$name, $each seconds"
        KEYTURN_TEST_MODULES=$dir/.libs quiet "$dir/$name.log" "$dir/$target" \
            -max_total_time="$each" -timeout=10 -max_len=4096 -print_final_stats=1 -artifact_prefix="$dir/findings/$name-" \
            "$dir/corpus/$name" "$here/tests/fuzz/corpus/$name" ||
            die "fuzz: $name failed: its input is in $dir/findings; reduced, it belongs into tests/fuzz/corpus/$name"
        grep -E 'number_of_executed_units|new_units_added' "$dir/$name.log"
    done
}
