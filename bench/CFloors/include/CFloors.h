/*
 * The floors: the least that the work of one job, one flow or one round trip costs on this machine, straight on LMDB
 * and libuv. They are fixed, so that a wasteful server can't lower what it is compared with.
 *
 * Every LMDB floor wants a directory that exists and holds no database yet; it leaves its files there, for the caller
 * to delete. One thread, default sync mode (each commit is on the disk when it returns), MDB_NOTLS. Time is counted
 * from the first transaction's begin to the last one's commit; opening, filling and closing are outside of it.
 */
#ifndef PENSTOCK_CFLOORS_H
#define PENSTOCK_CFLOORS_H

#include <stddef.h>
#include <stdint.h>

/* How LMDB is called. The floor is the faster of the two: FLOORS_CURSORS, with a quarter less CPU time for the same
 * work in each of the floors, and 1.15 to 1.2 times the rate on a quiet disk. The other is there to show it. */
enum floors_style {
    FLOORS_CURSORS = 0, /* one cursor for each table, kept for the length of a transaction */
    FLOORS_PUTS = 1,    /* plain mdb_put and mdb_del */
};

struct floors_result {
    uint64_t ops;     /* jobs or flows, as the function says */
    uint64_t commits; /* synced ones */
    double seconds;
    int error; /* 0, an errno, or a code of LMDB (negative); the figures mean nothing unless it is 0 */
};

/*
 * Adds `jobs` jobs, `batch` for each commit: a small record of 128 bytes and a payload of `payload_bytes`, both
 * appended under the job's id, and one put in the ready index. ops = jobs.
 */
struct floors_result floors_lmdb_add(const char *dir, uint64_t jobs, uint64_t batch, size_t payload_bytes,
                                     enum floors_style style);

/*
 * Completes `jobs` jobs, which it adds first, unmeasured: the small record rewritten, one delete from the ready index,
 * one put in the finished index. In the order of the adds, the cheapest one. ops = jobs.
 */
struct floors_result floors_lmdb_complete(const char *dir, uint64_t jobs, uint64_t batch, size_t payload_bytes,
                                          enum floors_style style);

struct floors_flow_result {
    struct floors_result add;     /* ops = flows */
    struct floors_result through; /* ops = jobs completed, parents included; the time of the adds is not in it */
};

/*
 * Adds `flows` flows of one parent and `children` children, then completes all of their jobs, about `batch` jobs for
 * each commit.
 *
 * An add is, for each flow: children + 1 small records and payloads, a ready entry and an edge for each child, one flow
 * record. A completion is that of floors_lmdb_complete and the flow's record rewritten; a child's also rewrites its
 * edge and its parent's record, and the last child's releases the parent: one ready entry. A parent completes in the
 * commit after the one that released it, as it can't be delivered earlier.
 */
struct floors_flow_result floors_lmdb_flow(const char *dir, uint64_t flows, uint32_t children, uint64_t batch,
                                           size_t payload_bytes, enum floors_style style);

struct floors_latency {
    uint64_t commits;
    double p50_us; /* microseconds from begin to the end of the commit */
    double p99_us;
    int error;
};

/* One add for each of `commits` transactions, on top of 10,000 jobs added before, unmeasured. */
struct floors_latency floors_lmdb_commit_latency(const char *dir, uint64_t commits, size_t payload_bytes,
                                                 enum floors_style style);

/* The text of an error of the LMDB floors; static storage. */
const char *floors_lmdb_message(int error);

/*
 * Serves echo on 127.0.0.1, on a libuv loop of its own, at a free port, which it writes to `report_fd` as decimal text
 * and a newline. Returns 0 when `stop_fd` becomes readable or reaches its end (a pipe whose other end the parent holds:
 * so the server never outlives it), or a libuv error (negative). Call it in a process of its own.
 */
int floors_echo_serve(int report_fd, int stop_fd);

/*
 * Makes `rounds` round trips of `bytes` bytes (1 to 65,536), one outstanding, on a blocking socket with TCP_NODELAY, to
 * an echo server at the IPv4 address `host`; `nanoseconds_out` gets the time of each. A tenth as many go before,
 * unmeasured. Returns 0 or an errno.
 */
int floors_echo_measure(const char *host, int port, size_t bytes, size_t rounds, uint64_t *nanoseconds_out);

/*
 * Nanoseconds of CPU time, user and system, that all threads of a process have used, ended ones included; UINT64_MAX
 * where there is no such process. The kernel's files tell it only in ticks of 10 ms.
 */
uint64_t floors_process_cpu(int pid);

/* Versions as 0xMMmmpp, of the libraries that are loaded. */
uint32_t floors_lmdb_version(void);
uint32_t floors_uv_version(void);

#endif
