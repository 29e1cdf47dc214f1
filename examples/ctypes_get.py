#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print the value of a secret, from Python, without compiling anything.

    python3 ctypes_get.py deepseek/api-key [SERVICE]
"""

import ctypes
import sys


class Err(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("msg", ctypes.c_char * 508)]


def load():
    kt = ctypes.CDLL("libkeyturn.so.0")
    handle, secret, err = ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(Err)
    kt.kt_open.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(handle), err]
    kt.kt_close.argtypes = [handle]
    kt.kt_close.restype = None
    kt.kt_get.argtypes = [handle, ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(secret), err]
    kt.kt_secret_data.argtypes = [secret]
    kt.kt_secret_data.restype = ctypes.c_void_p
    kt.kt_secret_len.argtypes = [secret]
    kt.kt_secret_len.restype = ctypes.c_size_t
    kt.kt_secret_free.argtypes = [secret]
    kt.kt_secret_free.restype = None
    return kt


class KeyturnError(Exception):
    def __init__(self, kt, err):
        super().__init__(err.msg.decode())
        self.exit = kt.kt_status_exit(err.status)


def get(kt, name, service="deepseek"):
    """The value as bytes. Python keeps this copy until it collects it, and does not wipe it."""
    err, handle, secret = Err(), ctypes.c_void_p(), ctypes.c_void_p()
    if kt.kt_open(service.encode(), None, ctypes.byref(handle), ctypes.byref(err)) != 0:
        raise KeyturnError(kt, err)
    try:
        if kt.kt_get(handle, name.encode(), None, ctypes.byref(secret), ctypes.byref(err)) != 0:
            raise KeyturnError(kt, err)
        value = ctypes.string_at(kt.kt_secret_data(secret), kt.kt_secret_len(secret))
        kt.kt_secret_free(secret)
        return value
    finally:
        kt.kt_close(handle)


def main():
    if len(sys.argv) not in (2, 3):
        print("usage: ctypes_get.py NAME [SERVICE]", file=sys.stderr)
        return 2
    try:
        sys.stdout.buffer.write(get(load(), *sys.argv[1:]) + b"\n")
    except KeyturnError as e:
        print(f"ctypes_get.py: {e}", file=sys.stderr)
        return e.exit
    return 0


if __name__ == "__main__":
    sys.exit(main())
