/* A few threads that share the rows of a group, and the jobs of OpenBLAS. */

#ifndef EINBATCH_REPLAY_THREADS_H
#define EINBATCH_REPLAY_THREADS_H

#include <stdint.h>
#include <stdlib.h>

typedef void (*over_rows)(const void *, int64_t, int64_t);

/* How this thread's processor rounds; and the same with numbers that are too small to have all
   their digits taken for zero, of which each operation takes a hundred times as long. */
#if defined(__x86_64__) && defined(__GNUC__)
static unsigned rounding(void) { return __builtin_ia32_stmxcsr(); }
static void set_rounding(unsigned state) { __builtin_ia32_ldmxcsr(state); }
static unsigned without_tiny(unsigned state) { return state | 0x8040; }
#else
static unsigned rounding(void) { return 0; }
static void set_rounding(unsigned state) { (void)state; }
static unsigned without_tiny(unsigned state) { return state; }
#endif

#ifdef _WIN32

#define run_blas NULL

static struct {
    int (*get)(void);
    void (*set)(int);
} blas_threads;

static void set_threads(int count) { (void)count; }

static void in_threads(over_rows run, const void *work, int64_t rows, int64_t block) {
    (void)block;
    run(work, 0, rows);
}

#else

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { MOST_THREADS = 256, TICKET = 1024, SPINS = 5000 };

/* One piece of work at a time; `turn` is held by whoever gives it. A ticket's low bits say for
   how many threads it is; these may read the rest, which stays until all have done their part.
   Helpers spin for a while, as the next piece often follows at once, and then sleep. */
static struct {
    pthread_mutex_t lock, turn;
    pthread_cond_t wake;
    atomic_long ticket, claimed[MOST_THREADS]; /* the last ticket of which each part was taken */
    atomic_int left, asleep;
    over_rows run;
    const void *work;
    int64_t rows, block;
    unsigned rounding; /* as whoever gives the work has it */
    int wanted, started;
    long born[MOST_THREADS]; /* the ticket at which each helper was started */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .turn = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .wanted = 1};

/* What a waiting thread does: a pause, and now and then a turn for whoever needs its core. */
static void rest(int spin) {
    if (spin % 256 == 255) sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    else __builtin_ia32_pause();
#endif
}

static void one_part(int part, int parts) {
    int64_t blocks = (pool.rows + pool.block - 1) / pool.block;
    int64_t first = blocks * part / parts * pool.block;
    int64_t last = blocks * (part + 1) / parts * pool.block;
    if (last > pool.rows) last = pool.rows;
    if (first < last) pool.run(pool.work, first, last);
}

/* The ticket after `seen`, once there is one. */
static long next_ticket(long seen) {
    for (int spin = 0; spin < SPINS; spin++) {
        long ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
        if (ticket != seen) return ticket;
        rest(spin);
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.asleep, 1);
    while (atomic_load(&pool.ticket) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.asleep, 1);
    pthread_mutex_unlock(&pool.lock);
    return atomic_load(&pool.ticket);
}

/* Does a part of a ticket's work, if nobody has taken it yet. */
static void take_part(int part, int parts, long ticket) {
    long before = atomic_load(&pool.claimed[part]);
    if (before >= ticket || !atomic_compare_exchange_strong(&pool.claimed[part], &before, ticket))
        return;
    set_rounding(pool.rounding);
    one_part(part, parts);
    atomic_fetch_sub_explicit(&pool.left, 1, memory_order_release);
}

static void *help(void *argument) {
    int part = (int)(intptr_t)argument;
    for (long seen = pool.born[part];;) {
        seen = next_ticket(seen);
        int parts = (int)(seen % TICKET);
        if (part < parts) take_part(part, parts, seen);
    }
    return NULL;
}

static void in_child(void) {
    /* A forked process has none of the threads; locks may have been held. */
    pthread_mutex_init(&pool.lock, NULL);
    pthread_mutex_init(&pool.turn, NULL);
    pthread_cond_init(&pool.wake, NULL);
    atomic_store(&pool.ticket, 0);
    atomic_store(&pool.asleep, 0);
    for (int part = 0; part < MOST_THREADS; part++) atomic_store(&pool.claimed[part], 0);
    pool.started = 0;
}

static void set_threads(int count) {
    static int prepared;
    if (!prepared) prepared = pthread_atfork(NULL, NULL, in_child) == 0;
    pool.wanted = count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : count;
}

/* How many parts there are threads for, our own counted. */
static int start_helpers(int parts) {
    while (pool.started < parts - 1 && pool.started < MOST_THREADS - 1) {
        pthread_t thread;
        pthread_attr_t attributes;
        int part = pool.started + 1;
        pool.born[part] = atomic_load(&pool.ticket);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        int failed = pthread_create(&thread, &attributes, help, (void *)(intptr_t)part);
        pthread_attr_destroy(&attributes);
        if (failed) break;
        pool.started = part;
    }
    return pool.started + 1 < parts ? pool.started + 1 : parts;
}

/* Hands work to the helpers, does a part of it, and waits for theirs; of helpers that are not
   awake yet it does the parts too, where they need no thread of their own. */
static void share(over_rows run, const void *work, int64_t rows, int64_t block, int parts,
                  int is_free) {
    long ticket = (atomic_load(&pool.ticket) / TICKET + 1) * TICKET + parts;
    pool.run = run;
    pool.work = work;
    pool.rows = rows;
    pool.block = block;
    pool.rounding = rounding();
    atomic_store(&pool.left, parts - 1);
    atomic_store(&pool.ticket, ticket);
    if (atomic_load(&pool.asleep)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    one_part(0, parts);
    for (int part = 1; is_free && part < parts; part++) take_part(part, parts, ticket);
    for (int spin = 0; atomic_load_explicit(&pool.left, memory_order_acquire) > 0; spin++)
        rest(spin);
}

/* What says how many threads a BLAS uses, where it has some; while ours call it, one. */
static struct {
    int (*get)(void);
    void (*set)(int);
} blas_threads;

static void share_beside_blas(over_rows run, const void *work, int64_t rows, int parts) {
    int count = blas_threads.get ? blas_threads.get() : 1;
    if (count > 1) blas_threads.set(1);
    share(run, work, rows, 1, parts, 1);
    if (count > 1) blas_threads.set(count);
}

/* Rows in threads; a `block` of 0 is for work that calls BLAS, cut at any row. */
static void in_threads(over_rows run, const void *work, int64_t rows, int64_t block) {
    /* Who comes while others are at it does its work alone. */
    if (pool.wanted == 1 || pthread_mutex_trylock(&pool.turn) != 0) {
        run(work, 0, rows);
        return;
    }
    int parts = start_helpers(pool.wanted);
    if (parts == 1) run(work, 0, rows);
    else if (block == 0) share_beside_blas(run, work, rows, parts);
    else share(run, work, rows, block, parts, 1);
    pthread_mutex_unlock(&pool.turn);
}

/* OpenBLAS's jobs, done by the same threads: of two pools each would wait for cores that the
   other's threads keep busy with waiting. Its jobs wait for one another, so each has a thread. */
typedef void (*blas_job)(int, void *, int);

struct blas_jobs {
    blas_job run;
    char *data;
    size_t size;
    int index;
};

static void run_jobs(const void *work, int64_t first, int64_t last) {
    const struct blas_jobs *jobs = work;
    for (int64_t k = first; k < last; k++)
        jobs->run((int)k, jobs->data + (size_t)k * jobs->size, jobs->index);
}

static void run_blas(int sync, blas_job run, int count, size_t size, void *data, int index) {
    struct blas_jobs jobs = {run, data, size, index};
    (void)sync;
    pthread_mutex_lock(&pool.turn);
    if (start_helpers(count) < count) abort(); /* this process may have no more threads */
    share(run_jobs, &jobs, count, 1, count, 0);
    pthread_mutex_unlock(&pool.turn);
}

#endif
#endif
