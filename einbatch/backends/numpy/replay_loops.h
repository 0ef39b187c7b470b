/* Inner loops for what no ufunc does, with NumPy's signature. */

#ifndef EINBATCH_REPLAY_LOOPS_H
#define EINBATCH_REPLAY_LOOPS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef void (*inner_loop)(char **, const npy_intp *, const npy_intp *, void *);

#define ARGUMENTS char **args, const npy_intp *dimensions, const npy_intp *steps, void *data
#define AT(type, operand, k) (*(type *)(args[operand] + (k) * steps[operand]))

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
/* Compiled for each of these processors; the one at hand is chosen as the module is loaded. */
#define VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORS
#endif
#if defined(__GNUC__) && !defined(__clang__)
/* No element is written that another round reads; the same one may be. */
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

/* copy, cast: from args[0] to args[1] */
#define CONVERT(name, from, to)                                                              \
    static void name(ARGUMENTS) {                                                            \
        npy_intp n = dimensions[0];                                                          \
        (void)data;                                                                          \
        if (steps[0] == sizeof(from) && steps[1] == sizeof(to)) {                            \
            const from *restrict in = (const from *)args[0];                                 \
            to *restrict out = (to *)args[1];                                                \
            for (npy_intp k = 0; k < n; k++) out[k] = (to)in[k];                             \
        } else if (steps[0] == 0 && steps[1] == sizeof(to)) {                                \
            to one = (to)AT(from, 0, 0), zero = 0, *out = (to *)args[1];                     \
            if (memcmp(&one, &zero, sizeof one) == 0) memset(out, 0, (size_t)n * sizeof one); \
            else                                                                             \
                for (npy_intp k = 0; k < n; k++) out[k] = one;                               \
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

/* the error function: in double precision the C library's; in single, x times a quotient of
   polynomials in x*x, with Eigen's coefficients (generic_fast_erf_float), within 4 units in the
   last place, and as a loop that compilers make vectors of */
static inline float erf_of(float x) {
    x = x > 4.0f ? 4.0f : x < -4.0f ? -4.0f : x; /* not a number stays what it is */
    float y = x * x;
    float above = -2.72614225801306e-10f;
    above = above * y + 2.77068142495902e-08f;
    above = above * y - 2.10102402082508e-06f;
    above = above * y - 5.69250639462346e-05f;
    above = above * y - 7.34990630326855e-04f;
    above = above * y - 2.95459980854025e-03f;
    above = above * y - 1.60960333262415e-02f;
    float below = -1.45660718464996e-05f;
    below = below * y - 2.13374055278905e-04f;
    below = below * y - 1.68282697438203e-03f;
    below = below * y - 7.37332916720468e-03f;
    below = below * y - 1.42647390514189e-02f;
    return x * above / below;
}

VECTORS static void erf_f(ARGUMENTS) {
    npy_intp n = dimensions[0];
    (void)data;
    if (steps[0] == sizeof(float) && steps[1] == sizeof(float)) {
        const float *in = (const float *)args[0];
        float *out = (float *)args[1];
        INDEPENDENT
        for (npy_intp k = 0; k < n; k++) out[k] = erf_of(in[k]);
    } else
        for (npy_intp k = 0; k < n; k++) AT(float, 1, k) = erf_of(AT(float, 0, k));
}

static void erf_d(ARGUMENTS) {
    (void)data;
    for (npy_intp k = 0; k < dimensions[0]; k++) AT(double, 1, k) = erf(AT(double, 0, k));
}

/* dot: the products of args[0] and args[1] added to args[2], in 16 sums side by side */
#define DOT(name, type)                                                                      \
    VECTORS static void name(ARGUMENTS) {                                                    \
        npy_intp n = dimensions[0], k = 0;                                                   \
        type sums[16] = {0};                                                                 \
        (void)data;                                                                          \
        if (steps[0] == sizeof(type) && steps[1] == sizeof(type)) {                          \
            const type *a = (const type *)args[0], *b = (const type *)args[1];               \
            for (; k + 16 <= n; k += 16)                                                     \
                for (int j = 0; j < 16; j++) sums[j] += a[k + j] * b[k + j];                 \
        }                                                                                    \
        for (; k < n; k++) sums[k % 16] += AT(type, 0, k) * AT(type, 1, k);                  \
        for (int width = 8; width; width /= 2)                                               \
            for (int j = 0; j < width; j++) sums[j] += sums[j + width];                      \
        *(type *)args[2] += sums[0];                                                         \
    }
DOT(dot_f, float)
DOT(dot_d, double)

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
        const char *from = args[1] + k * steps[1] + place * pieces->bytes;
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
/* the same of rows; `data` is how long they are */
#define SCATTER_PIECES(name, type, statement)                                                \
    VECTORS static void name(ARGUMENTS) {                                                    \
        int64_t width = *(const int64_t *)data;                                              \
        for (npy_intp k = 0; k < dimensions[0]; k++) {                                       \
            type *row = (type *)args[2] + AT(int64_t, 0, k) * width;                         \
            const type *items = (const type *)(args[1] + k * steps[1]);                      \
            INDEPENDENT                                                                      \
            for (int64_t j = 0; j < width; j++) {                                            \
                type *at = row + j, item = items[j];                                         \
                statement;                                                                   \
            }                                                                                \
        }                                                                                    \
    }
#define SCATTERS(suffix, type)                                                               \
    SCATTER(put_##suffix, type, *at = item)                                                  \
    SCATTER(add_##suffix, type, *at += item)                                                 \
    SCATTER(subtract_##suffix, type, *at -= item)                                            \
    SCATTER(multiply_##suffix, type, *at *= item)                                            \
    SCATTER(maximum_##suffix, type, if (item > *at || item != item) *at = item)              \
    SCATTER(minimum_##suffix, type, if (item < *at || item != item) *at = item)              \
    SCATTER_PIECES(add_rows_##suffix, type, *at += item)                                     \
    SCATTER_PIECES(subtract_rows_##suffix, type, *at -= item)                                \
    SCATTER_PIECES(multiply_rows_##suffix, type, *at *= item)                                \
    SCATTER_PIECES(maximum_rows_##suffix, type, if (item > *at || item != item) *at = item)  \
    SCATTER_PIECES(minimum_rows_##suffix, type, if (item < *at || item != item) *at = item)
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

/* ---- loops over rows, for what is often done on short ones: no call for each ---- */

typedef void (*row_loop)(char **, npy_intp, npy_intp, const npy_intp *, const npy_intp *);

#define ROWS char **args, npy_intp rows, npy_intp n, const npy_intp *down, const npy_intp *right

#define COPY_ROWS(name, type)                                                                \
    VECTORS static void name(ROWS) {                                                         \
        for (npy_intp row = 0; row < rows; row++) {                                          \
            const type *in = (const type *)(args[0] + row * down[0]);                        \
            type *out = (type *)(args[1] + row * down[1]);                                   \
            npy_intp from = right[0] / (npy_intp)sizeof(type), to = right[1] / (npy_intp)sizeof(type); \
            if (from == 1 && to == 1)                                                        \
                INDEPENDENT for (npy_intp k = 0; k < n; k++) out[k] = in[k];                 \
            else                                                                             \
                INDEPENDENT for (npy_intp k = 0; k < n; k++) out[k * to] = in[k * from];     \
        }                                                                                    \
    }
COPY_ROWS(rows_copy_f, float)
COPY_ROWS(rows_copy_d, double)

#define BINARY_ROWS(name, type, sign)                                                        \
    VECTORS static void name(ROWS) {                                                         \
        npy_intp x = right[0] / (npy_intp)sizeof(type), y = right[1] / (npy_intp)sizeof(type); \
        npy_intp z = right[2] / (npy_intp)sizeof(type);                                      \
        for (npy_intp row = 0; row < rows; row++) {                                          \
            const type *a = (const type *)(args[0] + row * down[0]);                         \
            const type *b = (const type *)(args[1] + row * down[1]);                         \
            type *out = (type *)(args[2] + row * down[2]);                                   \
            if (z == 1 && x == 1 && y == 1)                                                  \
                INDEPENDENT for (npy_intp k = 0; k < n; k++) out[k] = a[k] sign b[k];        \
            else if (z == 1 && x == 1 && y == 0) {                                           \
                type one = *b;                                                               \
                INDEPENDENT for (npy_intp k = 0; k < n; k++) out[k] = a[k] sign one;         \
            } else                                                                           \
                INDEPENDENT for (npy_intp k = 0; k < n; k++)                                 \
                    out[k * z] = a[k * x] sign b[k * y];                                     \
        }                                                                                    \
    }
#define ALL_ROWS(suffix, type)                                                               \
    BINARY_ROWS(rows_add_##suffix, type, +)                                                  \
    BINARY_ROWS(rows_subtract_##suffix, type, -)                                             \
    BINARY_ROWS(rows_multiply_##suffix, type, *)                                             \
    BINARY_ROWS(rows_divide_##suffix, type, /)
ALL_ROWS(f, float)
ALL_ROWS(d, double)

struct named_loop {
    const char *name;
    void *function;
};

#define ROW(name) {#name, (void *)name}
#define SCATTER_ROWS(suffix)                                                                 \
    ROW(put_##suffix), ROW(add_##suffix), ROW(subtract_##suffix), ROW(multiply_##suffix),    \
        ROW(maximum_##suffix), ROW(minimum_##suffix), ROW(masked_put_##suffix),              \
        ROW(masked_add_##suffix), ROW(masked_subtract_##suffix),                             \
        ROW(masked_multiply_##suffix), ROW(masked_maximum_##suffix),                         \
        ROW(masked_minimum_##suffix), ROW(add_rows_##suffix), ROW(subtract_rows_##suffix),   \
        ROW(multiply_rows_##suffix), ROW(maximum_rows_##suffix), ROW(minimum_rows_##suffix)

static const struct named_loop LOOPS[] = {
    ROW(copy_b),   ROW(copy_f),   ROW(copy_d),   ROW(copy_l),   ROW(cast_bf),     ROW(cast_bd),
    ROW(cast_bl),  ROW(cast_lf),  ROW(cast_ld),  ROW(cast_fl),  ROW(cast_dl),     ROW(where_b),
    ROW(where_f),  ROW(where_d),  ROW(where_l),  ROW(erf_f),    ROW(erf_d),       ROW(argmax_f),
    ROW(argmax_d), ROW(argmax_l), ROW(argmax_b), ROW(argmin_f), ROW(argmin_d),    ROW(argmin_l),
    ROW(argmin_b), ROW(take),     ROW(dot_f), ROW(dot_d),
    SCATTER_ROWS(f), SCATTER_ROWS(d), SCATTER_ROWS(l),
    ROW(rows_copy_f), ROW(rows_copy_d), ROW(rows_add_f), ROW(rows_add_d), ROW(rows_subtract_f),
    ROW(rows_subtract_d), ROW(rows_multiply_f), ROW(rows_multiply_d), ROW(rows_divide_f),
    ROW(rows_divide_d), {NULL, NULL},
};

#endif
