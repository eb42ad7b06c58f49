"""Writes Tests/LPUNumericsTests/FunctionOracle.swift: exp and tanh to 200 bits by mpmath 1.3.

Run from the root of the project: python3 Tests/Oracles/functions.py
"""
import struct

import mpmath

mpmath.mp.prec = 200


def fp32(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def bits32(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def inputs(exponents, edges, count, seed):
    """`count` significands in each binade of either sign, and each edge with its neighbours."""
    state = seed
    for exponent in exponents:
        for sign in (0, 1):
            for _ in range(count):
                state = (state * 1103515245 + 12345) % 2**31
                yield sign << 31 | (exponent + 127) << 23 | state >> 8
    for edge in edges:
        yield from range(bits32(edge) - 1, bits32(edge) + 2)


def table(name, function, low, high, codes):
    entries = []
    for code in codes:
        x = fp32(code)
        if low < x < high:
            value = struct.unpack("<Q", struct.pack("<d", float(function(mpmath.mpf(x)))))[0]
            entries.append(f"{code:08x} {value:016x}")
    lines = [", ".join(entries[i : i + 3]) for i in range(0, len(entries), 3)]
    return f'    static let {name} = rows("""\n' + "".join(
        f"        {line}\n" for line in lines) + '        """)\n'


HEADER = '''/// True values of the elementary functions; written by Tests/Oracles/functions.py.
enum FunctionOracle {
    struct Row {
        var input: Float
        /// The true value to 53 bits.
        var value: Double
    }

    private static func rows(_ text: String) -> [Row] {
        text.split { $0 == "," || $0.isNewline }.compactMap { entry in
            let words = entry.split(separator: " ")
            guard let input = UInt32(words[0], radix: 16), let value = UInt64(words[1], radix: 16)
            else { return nil }
            return Row(input: Float(bitPattern: input), value: Double(bitPattern: value))
        }
    }

'''

LN2 = 0.6931471805599453
exp = table(
    "exp", mpmath.exp, -103.97, 88.7228,
    inputs(range(-27, 7), [k * LN2 / 2 for k in (1, 3, 5)] + [-k * LN2 / 2 for k in (1, 3, 5)]
           + [-87.33654, -103.5, 88.72], 8, 1))
tanh = table(
    "tanh", mpmath.tanh, -20, 20,
    inputs(list(range(-16, 5)) + [-126, -80, -40], [LN2 / 4, 3 * LN2 / 4, 9.01, 9.0109], 6, 2))
with open("Tests/LPUNumericsTests/FunctionOracle.swift", "w") as file:
    file.write(HEADER + exp + "\n" + tanh + "}\n")
