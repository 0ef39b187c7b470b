/* A few threads that share the rows of a group. */

#ifndef EINBATCH_REPLAY_THREADS_H
#define EINBATCH_REPLAY_THREADS_H

#include <stdint.h>

typedef void (*over_rows)(const void *, int64_t, int64_t);

#ifdef _WIN32

static void set_threads(int count) { (void)count; }

static void in_threads(over_rows run, const void *work, int64_t rows, int64_t block) {
    (void)block;
    run(work, 0, rows);
}

#else

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { MOST_THREADS = 16, SPINS = 2000 };

/* One piece of work at a time. Helpers wait for `ticket` to grow, spinning for some
   microseconds first: the next group often follows at once. */
static struct {
    pthread_mutex_t lock, turn;
    pthread_cond_t wake;
    atomic_long ticket;
    atomic_int left;
    over_rows run;
    const void *work;
    int64_t rows, block;
    int wanted, started, parts;
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
    int64_t first = blocks * part / parts * pool.block, last = blocks * (part + 1) / parts * pool.block;
    if (last > pool.rows) last = pool.rows;
    if (first < last) pool.run(pool.work, first, last);
}

static void *help(void *argument) {
    int part = (int)(intptr_t)argument;
    long seen = pool.born[part];
    for (;;) {
        for (int spin = 0; spin < SPINS && atomic_load_explicit(&pool.ticket, memory_order_acquire) == seen; spin++)
            rest(spin);
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.ticket) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
        seen = atomic_load(&pool.ticket);
        int parts = pool.parts;
        pthread_mutex_unlock(&pool.lock);
        if (part < parts) {
            one_part(part, parts);
            atomic_fetch_sub_explicit(&pool.left, 1, memory_order_release);
        }
    }
    return NULL;
}

static void in_child(void) {
    /* A forked process has none of the threads; locks may have been held. */
    pthread_mutex_init(&pool.lock, NULL);
    pthread_mutex_init(&pool.turn, NULL);
    pthread_cond_init(&pool.wake, NULL);
    atomic_store(&pool.ticket, 0);
    pool.started = 0;
}

static void set_threads(int count) {
    static int prepared;
    if (!prepared) prepared = pthread_atfork(NULL, NULL, in_child) == 0;
    pool.wanted = count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : count;
}

static int start_helpers(int parts) {
    while (pool.started < parts - 1) {
        pthread_t thread;
        pool.born[pool.started + 1] = atomic_load(&pool.ticket);
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        int failed = pthread_create(&thread, &attributes, help, (void *)(intptr_t)(pool.started + 1));
        pthread_attr_destroy(&attributes);
        if (failed) break;
        pool.started++;
    }
    return pool.started + 1 < parts ? pool.started + 1 : parts;
}

static void in_threads(over_rows run, const void *work, int64_t rows, int64_t block) {
    /* Who comes while others are at it does its work alone. */
    if (pool.wanted == 1 || pthread_mutex_trylock(&pool.turn) != 0) {
        run(work, 0, rows);
        return;
    }
    int parts = start_helpers(pool.wanted);
    if (parts == 1) {
        pthread_mutex_unlock(&pool.turn);
        run(work, 0, rows);
        return;
    }
    pthread_mutex_lock(&pool.lock);
    pool.run = run;
    pool.work = work;
    pool.rows = rows;
    pool.block = block;
    pool.parts = parts;
    atomic_store(&pool.left, parts - 1);
    atomic_fetch_add(&pool.ticket, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    one_part(0, parts);
    for (int spin = 0; atomic_load_explicit(&pool.left, memory_order_acquire) > 0; spin++) rest(spin);
    pthread_mutex_unlock(&pool.turn);
}

#endif
#endif
