#include "store.h"

/* The record starts with the id too, so that no two are the same. */
static int put_record(struct store *store, uint64_t id, unsigned flags) {
    unsigned char id_key[8];
    encode_u64(id_key, id);
    encode_u64(store->record, id);
    MDB_val key = {sizeof id_key, id_key}, record = {RECORD_BYTES, store->record};
    return store_put(store, JOBS, &key, &record, flags);
}

static void encode_ready_key(unsigned char key[READY_KEY_BYTES], uint64_t place) {
    encode_u32(key, QUEUE);
    encode_u32(key + 4, 0); /* no group */
    encode_u32(key + 8, 0); /* the default priority */
    encode_u64(key + 12, place);
}

int job_append(struct store *store, uint64_t id) {
    int error = put_record(store, id, MDB_APPEND);
    if (error) return error;
    unsigned char id_key[8];
    encode_u64(id_key, id);
    MDB_val key = {sizeof id_key, id_key}, payload = {store->payload_bytes, store->payload};
    return store_put(store, PAYLOADS, &key, &payload, MDB_APPEND);
}

int job_rewrite(struct store *store, uint64_t id) { return put_record(store, id, 0); }

int job_make_ready(struct store *store, uint64_t id) {
    unsigned char ready_key[READY_KEY_BYTES], id_value[8];
    encode_ready_key(ready_key, id);
    encode_u64(id_value, id);
    MDB_val key = {sizeof ready_key, ready_key}, value = {sizeof id_value, id_value};
    return store_put(store, READY, &key, &value, 0);
}

int job_complete(struct store *store, uint64_t id) {
    int error = job_rewrite(store, id);
    if (error) return error;

    unsigned char ready_key[READY_KEY_BYTES];
    encode_ready_key(ready_key, id);
    MDB_val key = {sizeof ready_key, ready_key};
    error = store_delete(store, READY, &key);
    if (error) return error;

    unsigned char finished_key[FINISHED_KEY_BYTES];
    encode_u32(finished_key, QUEUE);
    finished_key[4] = STATE_COMPLETED;
    encode_u64(finished_key + 5, id);
    encode_u64(finished_key + 13, id);
    key = (MDB_val){sizeof finished_key, finished_key};
    MDB_val nothing = {0, finished_key};
    return store_put(store, FINISHED, &key, &nothing, 0);
}

int jobs_add(struct store *store, uint64_t first, uint64_t jobs, uint64_t batch, uint64_t *commits) {
    for (uint64_t done = 0; done < jobs;) {
        uint64_t end = jobs - done < batch ? jobs : done + batch;
        int error = store_begin(store);
        for (; done < end && !error; done++) {
            error = job_append(store, first + done);
            if (!error) error = job_make_ready(store, first + done);
        }
        if (!error) error = store_commit(store);
        if (error) return error;
        ++*commits;
    }
    return 0;
}
