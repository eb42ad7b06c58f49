#include "CNumerics.h"

// Swift compiles for the oldest processor of its target; C may choose when the program starts.
#if defined(__x86_64__) && defined(__linux__)
#define FOR_THIS_HOST __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define FOR_THIS_HOST
#endif

typedef float Weights __attribute__((ext_vector_type(blockRows), aligned(4)));
typedef double Sums __attribute__((ext_vector_type(blockRows), aligned(8)));

/// Lanes ahead of which weights are fetched: a stream of blocks comes from main memory.
enum { lanesAhead = 24 };

// A fused product and sum rounds as the two do, since the product is exact.
FOR_THIS_HOST
void sumBlock(const float *block, const struct LaneValue *elements, size_t count,
              double sums[blockRows]) {
    Sums sum = 0;
    for (size_t i = 0; i < count; i++) {
        const float *weights = block + elements[i].offset;
        __builtin_prefetch(weights + lanesAhead * blockRows);
        sum += elements[i].value
            * __builtin_convertvector(*(const Weights *)weights, Sums);
    }
    *(Sums *)sums = sum;
}
