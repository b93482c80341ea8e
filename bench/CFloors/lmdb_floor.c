/* The floors of adds and completions, and the latency of a commit. */
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "store.h"

struct floors_result floors_lmdb_add(const char *dir, uint64_t jobs, uint64_t batch, size_t payload_bytes,
                                     enum floors_style style) {
    struct floors_result result = {.ops = jobs};
    if (!batch) return (struct floors_result){.error = EINVAL};
    struct store store;
    result.error = store_open(&store, dir, payload_bytes, style);
    if (!result.error) {
        uint64_t start = clock_now();
        result.error = jobs_add(&store, 1, jobs, batch, &result.commits);
        result.seconds = (double)(clock_now() - start) * 1e-9;
    }
    store_close(&store);
    return result;
}

static int complete_jobs(struct store *store, uint64_t jobs, uint64_t batch, uint64_t *commits) {
    for (uint64_t done = 0; done < jobs;) {
        uint64_t end = jobs - done < batch ? jobs : done + batch;
        int error = store_begin(store);
        for (; done < end && !error; done++) error = job_complete(store, 1 + done);
        if (!error) error = store_commit(store);
        if (error) return error;
        ++*commits;
    }
    return 0;
}

struct floors_result floors_lmdb_complete(const char *dir, uint64_t jobs, uint64_t batch, size_t payload_bytes,
                                          enum floors_style style) {
    struct floors_result result = {.ops = jobs};
    if (!batch) return (struct floors_result){.error = EINVAL};
    struct store store;
    uint64_t fill_commits = 0;
    result.error = store_open(&store, dir, payload_bytes, style);
    if (!result.error) result.error = jobs_add(&store, 1, jobs, batch, &fill_commits);
    if (!result.error) {
        uint64_t start = clock_now();
        result.error = complete_jobs(&store, jobs, batch, &result.commits);
        result.seconds = (double)(clock_now() - start) * 1e-9;
    }
    store_close(&store);
    return result;
}

static int ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static int time_commits(struct store *store, uint64_t first, uint64_t commits, uint64_t *nanoseconds) {
    for (uint64_t index = 0; index < commits; index++) {
        uint64_t ignored = 0, start = clock_now();
        int error = jobs_add(store, first + index, 1, 1, &ignored);
        if (error) return error;
        nanoseconds[index] = clock_now() - start;
    }
    return 0;
}

struct floors_latency floors_lmdb_commit_latency(const char *dir, uint64_t commits, size_t payload_bytes,
                                                 enum floors_style style) {
    enum { FILL_JOBS = 10000, FILL_BATCH = 1000 };
    struct floors_latency latency = {.commits = commits};
    if (!commits) return (struct floors_latency){.error = EINVAL};
    uint64_t *nanoseconds = calloc(commits, sizeof *nanoseconds);
    if (!nanoseconds) return (struct floors_latency){.error = ENOMEM};
    struct store store;
    uint64_t fill_commits = 0;
    latency.error = store_open(&store, dir, payload_bytes, style);
    if (!latency.error) latency.error = jobs_add(&store, 1, FILL_JOBS, FILL_BATCH, &fill_commits);
    if (!latency.error) latency.error = time_commits(&store, FILL_JOBS + 1, commits, nanoseconds);
    if (!latency.error) {
        qsort(nanoseconds, commits, sizeof *nanoseconds, ascending);
        latency.p50_us = (double)nanoseconds[(commits - 1) / 2] * 1e-3;
        latency.p99_us = (double)nanoseconds[(commits - 1) * 99 / 100] * 1e-3;
    }
    store_close(&store);
    free(nanoseconds);
    return latency;
}

const char *floors_lmdb_message(int error) { return mdb_strerror(error); }
