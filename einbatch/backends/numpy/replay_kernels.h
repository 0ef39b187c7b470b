/* Kernels that MKL makes for products of one shape, kept for the next. Of A with the transpose
   of B, where a factor has few rows, they take half the time of its general function; of others
   a little less. */

#ifndef EINBATCH_REPLAY_KERNELS_H
#define EINBATCH_REPLAY_KERNELS_H

#include <stdint.h>

/* What a kernel is for. */
struct kind {
    int64_t m, n, k, lda, ldb, ldc, a_turned, b_turned, is_double;
    double alpha, beta;
};

typedef void (*kernel_run)(void *, const char *, const char *, char *);

struct kernel {
    struct kind kind;
    void *made;
    kernel_run run; /* NULL where MKL has none that is better than its general function */
};

#ifdef _WIN32

static const struct kernel *find_kernel(const struct kind *kind) {
    (void)kind;
    return NULL;
}

static void use_kernels(void *const *functions) { (void)functions; }

#else

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, MOST_KERNELS = 512, MOST_WORK = 1 << 24 };

typedef int (*make_single)(void **, int, int, int, int, int, int, float, int, int, float, int);
typedef int (*make_double)(void **, int, int, int, int, int, int, double, int, int, double, int);

static struct {
    make_single make_single;
    make_double make_double;
    kernel_run (*run_of_single)(void *), (*run_of_double)(void *);
    pthread_mutex_t lock;
    int count;
    _Atomic(struct kernel *) slots[SLOTS];
} kernels = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* MKL's functions that make kernels and give what runs them, for single and double; or NULLs. */
static void use_kernels(void *const *functions) {
    kernels.make_single = (make_single)functions[0];
    kernels.make_double = (make_double)functions[1];
    kernels.run_of_single = (kernel_run(*)(void *))functions[2];
    kernels.run_of_double = (kernel_run(*)(void *))functions[3];
}

static struct kernel *new_kernel(const struct kind *kind) {
    struct kernel *kernel = calloc(1, sizeof *kernel);
    const struct kind k = *kind;
    int m = (int)k.m, n = (int)k.n, depth = (int)k.k;
    int a = k.a_turned ? TRANSPOSED : PLAIN, b = k.b_turned ? TRANSPOSED : PLAIN;
    int lda = (int)k.lda, ldb = (int)k.ldb, ldc = (int)k.ldc, failed;
    if (!kernel) return NULL;
    kernel->kind = k;
    if (k.is_double)
        failed = kernels.make_double(&kernel->made, ROW_MAJOR, a, b, m, n, depth, k.alpha, lda,
                                     ldb, k.beta, ldc);
    else
        failed = kernels.make_single(&kernel->made, ROW_MAJOR, a, b, m, n, depth,
                                     (float)k.alpha, lda, ldb, (float)k.beta, ldc);
    if (!failed)
        kernel->run = (k.is_double ? kernels.run_of_double : kernels.run_of_single)(kernel->made);
    return kernel;
}

static struct kernel *seek(const struct kind *kind, unsigned *slot) {
    struct kernel *found;
    while ((found = atomic_load_explicit(&kernels.slots[*slot], memory_order_acquire))) {
        if (memcmp(&found->kind, kind, sizeof *kind) == 0) break;
        *slot = (*slot + 1) % SLOTS;
    }
    return found;
}

/* The kernel for such a product; NULL where there can be none. */
static const struct kernel *find_kernel(const struct kind *kind) {
    if (!kernels.make_single || kind->m * kind->n * kind->k > MOST_WORK) return NULL;
    uint64_t hash = 0;
    for (const int64_t *word = &kind->m; word <= &kind->is_double; word++)
        hash = (hash ^ (uint64_t)*word) * 0x9E3779B97F4A7C15u;
    unsigned slot = (unsigned)(hash >> 32) % SLOTS;
    struct kernel *found = seek(kind, &slot);
    if (found) return found;
    pthread_mutex_lock(&kernels.lock);
    found = seek(kind, &slot);
    if (!found && kernels.count < MOST_KERNELS && (found = new_kernel(kind))) {
        kernels.count++;
        atomic_store_explicit(&kernels.slots[slot], found, memory_order_release);
    }
    pthread_mutex_unlock(&kernels.lock);
    return found;
}

#endif
#endif
