#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every fuzz target takes every input of its corpus: what fuzzing once found stays found.
set -u

tests=0
for corpus in "${srcdir:?}"/tests/fuzz/corpus/*/; do
    name=$(basename "$corpus")
    tests=$((tests + 1))
    if "${builddir:?}/tests/fuzz/${name}_fuzzer" "$corpus" >"$TESTTMP/log" 2>&1; then
        echo "ok $tests - $name: $(tail -n 1 "$TESTTMP/log")"
    else
        echo "not ok $tests - $name"
        sed 's/^/# /' "$TESTTMP/log"
    fi
done
for target in "$srcdir"/tests/fuzz/*_fuzzer.c; do
    name=$(basename "$target" _fuzzer.c)
    tests=$((tests + 1))
    if [ -n "$(ls "$srcdir/tests/fuzz/corpus/$name" 2>/dev/null)" ]; then
        echo "ok $tests - $name has a corpus"
    else
        echo "not ok $tests - $name has no input in tests/fuzz/corpus/$name"
    fi
done
echo "1..$tests"
