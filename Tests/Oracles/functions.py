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


def inputs(exponents, edges, hard, count, seed):
    """`count` significands in each binade of either sign, each edge with its neighbours, `hard`."""
    state = seed
    for exponent in exponents:
        for sign in (0, 1):
            for _ in range(count):
                state = (state * 1103515245 + 12345) % 2**31
                yield sign << 31 | (exponent + 127) << 23 | state >> 8
    for edge in edges:
        yield from range(bits32(edge) - 1, bits32(edge) + 2)
    for code in hard.split():
        yield int(code, 16)


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

# The inputs nearest to a tie of all, as exhaustive.swift prints them.
HARD_EXP = """
337ffffd 337ffffe 337fffff 33800000 33800001 343fffff 34dffffd 356ffff9 35f7fff1 367bffe1 36fdffc1
377eff81 37fe7f03 37ff7f01 383a3ef1 38643e69 38ad9e29 38e69cc1 39c6be5b 39e5bb1d 3a3ffa00 3a4029f7
3a7af53d 3a7bcd08 3b00ba9d 3b18f346 3b8c972e 3c608a0e 3c8442d2 3c971aaa 3caffe2e 3cb8389b 3d1a274e
3d7010de 3dfb09d6 3e777fec 3f5bc24c 3fa1d683 3fe67199 4001b249 40315b33 4034d02b 408b904b 40a470e2
40dd70cb 4178966e 41cbf87b 41f77c01 4283070f 4288942b 428a94c5 b2fffffd b2fffffe b2ffffff b3000000
b3000001 b3c00000 b3c00001 b4200001 b4b00002 b5d4000b b616000b b6b50020 b7c9c09f b7f4c0ea b9584db6
ba525799 ba7242a6 badd0ab0 bae0e25c bb8d98f5 bb9af86a bb9cbb8e bbb70ee8 bbf0edf1 bc2a461a bcb8f40f
bce017bb bdb393eb bdf128eb be5f667d be67b559 bee0e6cd beed01af bf157c82 bf76fd92 bf81eadf bfab7ce4
bfbfa14b bffc842d c03359cb c0382e72 c0781533 c13d6631 c159fa1e c16912cd c236e4b4 c2ae7135 c2b27dd9
c2b2e798 c2b43fb7
"""
HARD_TANH = """
39b89ba2 39b89ba3 3ac37de2 3adbc904 3bc8b605 3c4e34b0 3c96ae2e 3cd41b91 3d7c3055 3dc95db7 3dee483b
3e150cd4 3eee0566 3ef6afee 3f172be6 3f20b67f 3f97fbc7 3fb3c82a 3ff8bc7e 4013cd84 40a6ef82 40acb4d0
40c5e8ca 40c7b05f
"""

LN2 = 0.6931471805599453
exp = table(
    "exp", mpmath.exp, -103.97, 88.7228,
    inputs(range(-27, 7), [k * LN2 / 2 for k in (1, 3, 5)] + [-k * LN2 / 2 for k in (1, 3, 5)]
           + [-87.33654, -103.5, 88.72], HARD_EXP, 8, 1))
tanh = table(
    "tanh", mpmath.tanh, -20, 20,
    inputs(list(range(-16, 5)) + [-126, -80, -40], [LN2 / 4, 3 * LN2 / 4, 9.01, 9.0109],
           HARD_TANH, 6, 2))
with open("Tests/LPUNumericsTests/FunctionOracle.swift", "w") as file:
    file.write(HEADER + exp + "\n" + tanh + "}\n")
