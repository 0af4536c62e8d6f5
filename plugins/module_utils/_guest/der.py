# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""As much of DER (X.690) as it takes to find a certificate's subject, and to write it as OpenSSL hashes it."""

from __future__ import annotations

from collections.abc import Iterator

_SEQUENCE, _SET, _VERSION = 0x30, 0x31, 0xA0
_UTF8, _BMP, _UNIVERSAL = 0x0C, 0x1E, 0x1C
# How each kind of string is encoded; others are taken as they are (OpenSSL, asn1_string_canon).
_TEXTS = {
    _UTF8: "utf-8",
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # T61String, as OpenSSL reads it
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    _UNIVERSAL: "utf-32-be",
    _BMP: "utf-16-be",
}


def items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the tag and the content of each element.

    Raises:
        ValueError: they do not fill `data`.
    """
    place = 0
    while place < len(data):
        if place + 2 > len(data):
            raise ValueError("an element has no length")
        tag, length = data[place], data[place + 1]
        place += 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise ValueError("an element's length is not definite")
            length = int.from_bytes(data[place : place + count], "big")
            place += count
        if place + length > len(data):
            raise ValueError("an element is cut short")
        yield tag, data[place : place + length]
        place += length


def subject(certificate: bytes) -> bytes:
    """Return the content of a certificate's subject (RFC 5280, 4.1).

    Raises:
        ValueError: it is no certificate.
    """
    ((tag, whole),) = items(certificate)
    signed, *_signature = items(whole)
    fields = list(items(signed[1]))
    if tag != _SEQUENCE or signed[0] != _SEQUENCE:
        raise ValueError("it is no sequence")
    if fields and fields[0][0] == _VERSION:
        fields = fields[1:]
    # serialNumber, signature, issuer, validity, subject
    if len(fields) < 6 or fields[4][0] != _SEQUENCE:
        raise ValueError("it has no subject")
    return fields[4][1]


def canonical_name(name: bytes) -> bytes:
    """Return a name as OpenSSL hashes it: texts in UTF-8, lower case, single spaces; no head (x509_name_canon).

    Raises:
        ValueError: it is no name.
    """
    sets = []
    for _tag, relative in items(name):
        pairs = []
        for _pair, content in items(relative):
            (kind, oid), (tag, value) = items(content)
            tag, value = _canonical_text(tag, value)
            pairs.append(_element(_SEQUENCE, _element(kind, oid) + _element(tag, value)))
        sets.append(_element(_SET, b"".join(sorted(pairs))))
    return b"".join(sets)


def _canonical_text(tag: int, value: bytes) -> tuple[int, bytes]:
    encoding = _TEXTS.get(tag)
    if encoding is None:
        return tag, value
    text = value.decode(encoding)
    # Only ASCII has spaces and cases there.
    words = "".join(" " if char in " \t\n\v\f\r" else char for char in text).split(" ")
    joined = " ".join(word for word in words if word)
    return _UTF8, "".join(char.lower() if char.isascii() else char for char in joined).encode()


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


__all__ = ["canonical_name", "items", "subject"]
