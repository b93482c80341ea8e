/*
 * The tables of the floors and one write transaction over them.
 *
 * All integers in keys are big-endian, so that order is meaning:
 *
 *     jobs      id u64                                        small record, 128 bytes
 *     payloads  id u64                                        payload
 *     ready     queue u32 | group u32 | priority u32 | place u64    id u64
 *     finished  queue u32 | state u8 | time u64 | id u64      empty
 *     edges     dependent u64 | position u32                  16 bytes
 *     flows     id u64                                        64 bytes
 */
#ifndef FLOORS_STORE_H
#define FLOORS_STORE_H

#include <lmdb.h>
#include <stddef.h>
#include <stdint.h>

#include "CFloors.h"

enum table { JOBS, PAYLOADS, READY, FINISHED, EDGES, FLOWS, TABLE_COUNT };

enum {
    RECORD_BYTES = 128,
    EDGE_BYTES = 16,
    FLOW_BYTES = 64,
    READY_KEY_BYTES = 20,
    FINISHED_KEY_BYTES = 21,
    EDGE_KEY_BYTES = 12,
    QUEUE = 1,
    STATE_COMPLETED = 5,
};

/* An open environment, the transaction that is open on it, and the buffers that every call reuses. */
struct store {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi tables[TABLE_COUNT];
    MDB_cursor *cursors[TABLE_COUNT]; /* opened at first use in a transaction, closed before it ends */
    enum floors_style style;
    unsigned char *payload;
    size_t payload_bytes;
    unsigned char record[RECORD_BYTES];
};

/* All functions return 0, an errno or a code of LMDB. After a failure only store_close may follow. */

int store_open(struct store *store, const char *dir, size_t payload_bytes, enum floors_style style);
void store_close(struct store *store);

int store_begin(struct store *store);
int store_commit(struct store *store);

int store_put(struct store *store, enum table table, MDB_val *key, MDB_val *value, unsigned flags);
int store_delete(struct store *store, enum table table, MDB_val *key);

/* What one job writes, in the transaction that is open. The id is also the job's place and its time of completion. */

int job_append(struct store *store, uint64_t id);
int job_rewrite(struct store *store, uint64_t id);
int job_make_ready(struct store *store, uint64_t id);
int job_complete(struct store *store, uint64_t id);

/* Adds the jobs first..<first + jobs, all ready, `batch` for each commit; counts the commits. */
int jobs_add(struct store *store, uint64_t first, uint64_t jobs, uint64_t batch, uint64_t *commits);

static inline void encode_u32(unsigned char *to, uint32_t value) {
    uint32_t big = __builtin_bswap32(value);
    __builtin_memcpy(to, &big, sizeof big);
}

static inline void encode_u64(unsigned char *to, uint64_t value) {
    uint64_t big = __builtin_bswap64(value);
    __builtin_memcpy(to, &big, sizeof big);
}

#endif
