/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SANITIZED_H
#define KEYTURN_CLI_SANITIZED_H

/* KT_SANITIZED - built under a sanitizer, which brings its own free() and traces the process */

#if defined(__has_feature)
#define KT_HAS_FEATURE(x) __has_feature(x)
#else
#define KT_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    KT_HAS_FEATURE(address_sanitizer) || KT_HAS_FEATURE(thread_sanitizer) ||                       \
    KT_HAS_FEATURE(memory_sanitizer)
#define KT_SANITIZED 1
#else
#define KT_SANITIZED 0
#endif

#endif
