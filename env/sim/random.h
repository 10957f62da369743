/* The seeded generator: SplitMix64 (Steele, Lea, Flood, 2014), one state for each stream. */
#ifndef ENV_SIM_RANDOM_H
#define ENV_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
    uint64_t state;
};

/* Spreads every bit of `value` over the result. */
static inline uint64_t sim_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* A stream of its own for each pair of seed and number. */
static inline struct sim_rng sim_rng_of(uint64_t seed, uint64_t stream)
{
    return (struct sim_rng){sim_mix(seed ^ sim_mix(stream + UINT64_C(0x9e3779b97f4a7c15)))};
}

static inline uint64_t sim_rng_next(struct sim_rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    return sim_mix(rng->state);
}

/* Below `bound`; 0 when that is 0. */
static inline uint64_t sim_rng_below(struct sim_rng *rng, uint64_t bound)
{
    uint64_t value = sim_rng_next(rng);
    return bound == 0 ? 0 : value % bound;
}

static inline bool sim_rng_chance(struct sim_rng *rng, uint32_t ppm)
{
    return sim_rng_below(rng, 1000000) < ppm;
}

#endif
