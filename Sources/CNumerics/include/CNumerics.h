#ifndef CNUMERICS_H
#define CNUMERICS_H

#include <stddef.h>
#include <stdint.h>

/// Rows of a block of weights, lane-major: neighbours in memory are summed side by side.
enum { blockRows = 16 };

/// An element of an activation, and where the block has the weights of its lane.
struct LaneValue {
    double value;
    size_t offset;
};

/// The sums of a block's rows over the elements, each product exact, added one after another in
/// binary64 from +0.
void sumBlock(const float *block, const struct LaneValue *elements, size_t count,
              double sums[blockRows]);

/// SHA-256's compression of that many blocks of 64 bytes.
void compressSHA256(uint32_t state[8], const uint8_t *bytes, size_t blocks);
/// The same on a processor that has no instructions for it.
void compressSHA256Plainly(uint32_t state[8], const uint8_t *bytes, size_t blocks);

/// Lets the processor fetch what will be read soon from main memory.
static inline void fetchAhead(const void *place) { __builtin_prefetch(place); }

#endif
