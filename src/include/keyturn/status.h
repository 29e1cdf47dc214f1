/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_STATUS_H
#define KEYTURN_STATUS_H

/*
 * The one status table. Code, the service-file parser, the command line's exit codes and the
 * manual's table are all made from these lines.
 *
 *   X(SYMBOL, number, name, tell, exit code, meaning)
 *
 * number: fixed for ever, part of both ABIs.
 * name:   the word in service files, JSON and messages.
 * tell:   how telling a failure is. A stack that nothing decided answers with the most telling
 *         failure it ignored, so every "could not ask" ranks above not_found.
 * exit:   keyturn(1)'s exit code; 1 and 2 are kept for crashes and usage.
 */
#define KT_STATUS_MAP(X)                                                                           \
    X(SUCCESS, 0, "success", 0, 0, "it worked")                                                    \
    X(NOT_FOUND, 1, "not_found", 20, 3, "the store was asked and has no such secret or version")   \
    X(DENIED, 2, "denied", 84, 4, "the store refuses this caller")                                 \
    X(LOCKED, 3, "locked", 80, 5, "the store needs to be unlocked first")                          \
    X(UNAVAILABLE, 4, "unavailable", 42, 6, "the store could not be asked")                        \
    X(THROTTLED, 5, "throttled", 44, 7, "the store asks for fewer requests")                       \
    X(TIMEOUT, 6, "timeout", 46, 8, "no answer before the deadline")                               \
    X(CANCELLED, 7, "cancelled", 90, 9, "the caller cancelled the call")                           \
    X(BUSY, 8, "busy", 48, 10, "another writer held the store until the deadline")                 \
    X(CONFLICT, 9, "conflict", 60, 11, "the current version is not the expected one")              \
    X(EXISTS, 10, "exists", 58, 12, "it exists already, with other content")                       \
    X(PARTIAL, 11, "partial", 64, 13, "the authority has it, a required follower does not")        \
    X(INVALID, 12, "invalid", 56, 14, "the request breaks a rule")                                 \
    X(TOO_LARGE, 13, "too_large", 54, 15, "the value or name is over a limit")                     \
    X(NO_SPACE, 14, "no_space", 52, 16, "the store is full")                                       \
    X(READ_ONLY, 15, "read_only", 50, 17, "the store cannot be written")                           \
    X(DISABLED, 16, "disabled", 70, 18, "the version exists and is disabled or destroyed")         \
    X(EXPIRED, 17, "expired", 68, 19, "the version is past its expiry")                            \
    X(NOT_YET, 18, "not_yet", 66, 20, "the version is not valid yet")                              \
    X(CORRUPT, 19, "corrupt", 92, 21, "stored data fails authentication or cannot be understood")  \
    X(UNSUPPORTED, 20, "unsupported", 10, 22, "nothing here can do that")                          \
    X(IGNORE, 21, "ignore", 0, 23, "a module takes no part in the answer")                         \
    X(NO_MEMORY, 22, "no_memory", 86, 24, "out of memory")                                         \
    X(MODULE_ERROR, 23, "module_error", 94, 25, "a module broke its contract")                     \
    X(CONFIG_ERROR, 24, "config_error", 96, 26, "the service or a module is configured wrongly")

enum kt_status {
#define KT_STATUS_ENUM_(sym, num, name, tell, exit, meaning) KT_##sym = (num),
    KT_STATUS_MAP(KT_STATUS_ENUM_)
#undef KT_STATUS_ENUM_
};

#define KT_STATUS_COUNT 25

#endif
