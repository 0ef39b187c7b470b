/* Inner loops for what no ufunc does, with NumPy's signature. */

#ifndef EINBATCH_REPLAY_LOOPS_H
#define EINBATCH_REPLAY_LOOPS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef void (*inner_loop)(char **, const npy_intp *, const npy_intp *, void *);

#define ARGUMENTS char **args, const npy_intp *dimensions, const npy_intp *steps, void *data
#define AT(type, operand, k) (*(type *)(args[operand] + (k) * steps[operand]))

/* copy, cast: from args[0] to args[1] */
#define CONVERT(name, from, to)                                                              \
    static void name(ARGUMENTS) {                                                            \
        npy_intp n = dimensions[0];                                                          \
        (void)data;                                                                          \
        if (steps[0] == sizeof(from) && steps[1] == sizeof(to)) {                            \
            const from *restrict in = (const from *)args[0];                                 \
            to *restrict out = (to *)args[1];                                                \
            for (npy_intp k = 0; k < n; k++) out[k] = (to)in[k];                             \
        } else                                                                               \
            for (npy_intp k = 0; k < n; k++) AT(to, 1, k) = (to)AT(from, 0, k);              \
    }
CONVERT(copy_b, int8_t, int8_t)
CONVERT(copy_f, float, float)
CONVERT(copy_d, double, double)
CONVERT(copy_l, int64_t, int64_t)
CONVERT(cast_bf, int8_t, float)
CONVERT(cast_bd, int8_t, double)
CONVERT(cast_bl, int8_t, int64_t)
CONVERT(cast_lf, int64_t, float)
CONVERT(cast_ld, int64_t, double)
CONVERT(cast_fl, float, int64_t)
CONVERT(cast_dl, double, int64_t)

/* where: from args[0] to args[2] where args[1] */
#define WHERE(name, type)                                                                    \
    static void name(ARGUMENTS) {                                                            \
        (void)data;                                                                          \
        for (npy_intp k = 0; k < dimensions[0]; k++)                                         \
            if (AT(int8_t, 1, k)) AT(type, 2, k) = AT(type, 0, k);                           \
    }
WHERE(where_b, int8_t)
WHERE(where_f, float)
WHERE(where_d, double)
WHERE(where_l, int64_t)

/* the error function; the C library's, within a unit in the last place */
#define UNARY(name, type, function)                                                          \
    static void name(ARGUMENTS) {                                                            \
        (void)data;                                                                          \
        for (npy_intp k = 0; k < dimensions[0]; k++) AT(type, 1, k) = function(AT(type, 0, k)); \
    }
UNARY(erf_f, float, erff)
UNARY(erf_d, double, erf)

/* argmax, argmin: the place in args[0] of the first largest or least, NaN before all, to args[1] */
#define POSITION(name, type, better)                                                         \
    static void name(ARGUMENTS) {                                                            \
        npy_intp best = 0;                                                                   \
        type most = AT(type, 0, 0);                                                          \
        (void)data;                                                                          \
        for (npy_intp k = 1; k < dimensions[0] && most == most; k++) {                       \
            type item = AT(type, 0, k);                                                      \
            if (item better most || item != item) {                                          \
                most = item;                                                                 \
                best = k;                                                                    \
            }                                                                                \
        }                                                                                    \
        *(int64_t *)args[1] = best;                                                          \
    }
POSITION(argmax_f, float, >)
POSITION(argmax_d, double, >)
POSITION(argmax_l, int64_t, >)
POSITION(argmax_b, int8_t, >)
POSITION(argmin_f, float, <)
POSITION(argmin_d, double, <)
POSITION(argmin_l, int64_t, <)
POSITION(argmin_b, int8_t, <)

/* take: args[0] are places among pieces of `bytes` each from args[1] on, kept inside `extent` */
struct pieces {
    int64_t bytes, extent;
};

static void take(ARGUMENTS) {
    const struct pieces *pieces = data;
    for (npy_intp k = 0; k < dimensions[0]; k++) {
        int64_t place = AT(int64_t, 0, k);
        place = place < 0 ? 0 : place >= pieces->extent ? pieces->extent - 1 : place;
        const char *from = args[1] + place * pieces->bytes;
        char *to = args[2] + k * steps[2];
        switch (pieces->bytes) {
        case 4: memcpy(to, from, 4); break;
        case 8: memcpy(to, from, 8); break;
        default: memcpy(to, from, (size_t)pieces->bytes);
        }
    }
}

/* scatter: args[1] accumulated into the memory from args[2] on, at the places args[0] */
#define SCATTER(name, type, statement)                                                       \
    static void name(ARGUMENTS) {                                                            \
        type *flat = (type *)args[2];                                                        \
        (void)data;                                                                          \
        for (npy_intp k = 0; k < dimensions[0]; k++) {                                       \
            type *at = flat + AT(int64_t, 0, k), item = AT(type, 1, k);                      \
            statement;                                                                       \
        }                                                                                    \
    }
#define SCATTERS(suffix, type)                                                               \
    SCATTER(put_##suffix, type, *at = item)                                                  \
    SCATTER(add_##suffix, type, *at += item)                                                 \
    SCATTER(subtract_##suffix, type, *at -= item)                                            \
    SCATTER(multiply_##suffix, type, *at *= item)                                            \
    SCATTER(maximum_##suffix, type, if (item > *at || item != item) *at = item)              \
    SCATTER(minimum_##suffix, type, if (item < *at || item != item) *at = item)
SCATTERS(f, float)
SCATTERS(d, double)
SCATTERS(l, int64_t)

/* the same, only where args[3] */
#define MASKED(name)                                                                         \
    static void masked_##name(ARGUMENTS) {                                                   \
        npy_intp one = 1;                                                                    \
        for (npy_intp k = 0; k < dimensions[0]; k++) {                                       \
            char *at[3] = {args[0] + k * steps[0], args[1] + k * steps[1], args[2]};         \
            if (AT(int8_t, 3, k)) name(at, &one, steps, data);                               \
        }                                                                                    \
    }
#define ALL_MASKED(suffix)                                                                   \
    MASKED(put_##suffix)                                                                     \
    MASKED(add_##suffix)                                                                     \
    MASKED(subtract_##suffix)                                                                \
    MASKED(multiply_##suffix)                                                                \
    MASKED(maximum_##suffix)                                                                 \
    MASKED(minimum_##suffix)
ALL_MASKED(f)
ALL_MASKED(d)
ALL_MASKED(l)

struct named_loop {
    const char *name;
    inner_loop function;
};

#define ROW(name) {#name, name}
#define SCATTER_ROWS(suffix)                                                                 \
    ROW(put_##suffix), ROW(add_##suffix), ROW(subtract_##suffix), ROW(multiply_##suffix),    \
        ROW(maximum_##suffix), ROW(minimum_##suffix), ROW(masked_put_##suffix),              \
        ROW(masked_add_##suffix), ROW(masked_subtract_##suffix),                             \
        ROW(masked_multiply_##suffix), ROW(masked_maximum_##suffix),                         \
        ROW(masked_minimum_##suffix)

static const struct named_loop LOOPS[] = {
    ROW(copy_b),   ROW(copy_f),   ROW(copy_d),   ROW(copy_l),   ROW(cast_bf),     ROW(cast_bd),
    ROW(cast_bl),  ROW(cast_lf),  ROW(cast_ld),  ROW(cast_fl),  ROW(cast_dl),     ROW(where_b),
    ROW(where_f),  ROW(where_d),  ROW(where_l),  ROW(erf_f),    ROW(erf_d),       ROW(argmax_f),
    ROW(argmax_d), ROW(argmax_l), ROW(argmax_b), ROW(argmin_f), ROW(argmin_d),    ROW(argmin_l),
    ROW(argmin_b), ROW(take),     SCATTER_ROWS(f), SCATTER_ROWS(d), SCATTER_ROWS(l), {NULL, NULL},
};

#endif
