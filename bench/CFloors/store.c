#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Address space, not disk: large enough that the map never has to grow. */
static const size_t map_bytes = (size_t)64 << 30;

static int open_tables(struct store *store) {
    static const char *const names[TABLE_COUNT] = {"jobs", "payloads", "ready", "finished", "edges", "flows"};
    int error = mdb_txn_begin(store->env, NULL, 0, &store->txn);
    for (int table = 0; table < TABLE_COUNT && !error; table++) {
        error = mdb_dbi_open(store->txn, names[table], MDB_CREATE, &store->tables[table]);
    }
    return error ? error : store_commit(store);
}

int store_open(struct store *store, const char *dir, size_t payload_bytes, enum floors_style style) {
    memset(store, 0, sizeof *store);
    store->style = style;
    store->payload_bytes = payload_bytes;
    store->payload = malloc(payload_bytes ? payload_bytes : 1);
    if (!store->payload) return ENOMEM;
    memset(store->payload, 'p', payload_bytes);
    memset(store->record, 'r', RECORD_BYTES);

    int error = mdb_env_create(&store->env);
    if (error) return error;
    error = mdb_env_set_maxdbs(store->env, TABLE_COUNT);
    if (!error) error = mdb_env_set_mapsize(store->env, map_bytes);
    if (!error) error = mdb_env_open(store->env, dir, MDB_NOTLS, 0600);
    if (!error) error = open_tables(store);
    if (error) return error;

    /* A floor is that of a fresh database; one that holds jobs would measure something else. */
    MDB_stat stat;
    error = store_begin(store);
    if (!error) error = mdb_stat(store->txn, store->tables[JOBS], &stat);
    if (!error && stat.ms_entries) error = EEXIST;
    return error ? error : store_commit(store);
}

static void close_cursors(struct store *store) {
    for (int table = 0; table < TABLE_COUNT; table++) {
        if (store->cursors[table]) mdb_cursor_close(store->cursors[table]);
        store->cursors[table] = NULL;
    }
}

void store_close(struct store *store) {
    close_cursors(store);
    if (store->txn) mdb_txn_abort(store->txn);
    if (store->env) mdb_env_close(store->env);
    free(store->payload);
    memset(store, 0, sizeof *store);
}

int store_begin(struct store *store) { return mdb_txn_begin(store->env, NULL, 0, &store->txn); }

int store_commit(struct store *store) {
    close_cursors(store);
    MDB_txn *txn = store->txn;
    store->txn = NULL; /* mdb_txn_commit frees it, even where it fails */
    return mdb_txn_commit(txn);
}

static int open_cursor(struct store *store, enum table table, MDB_cursor **cursor) {
    if (!store->cursors[table]) {
        int error = mdb_cursor_open(store->txn, store->tables[table], &store->cursors[table]);
        if (error) return error;
    }
    *cursor = store->cursors[table];
    return 0;
}

int store_put(struct store *store, enum table table, MDB_val *key, MDB_val *value, unsigned flags) {
    if (store->style == FLOORS_PUTS) return mdb_put(store->txn, store->tables[table], key, value, flags);
    MDB_cursor *cursor;
    int error = open_cursor(store, table, &cursor);
    return error ? error : mdb_cursor_put(cursor, key, value, flags);
}

int store_delete(struct store *store, enum table table, MDB_val *key) {
    if (store->style == FLOORS_PUTS) return mdb_del(store->txn, store->tables[table], key, NULL);
    MDB_cursor *cursor;
    MDB_val value;
    int error = open_cursor(store, table, &cursor);
    if (!error) error = mdb_cursor_get(cursor, key, &value, MDB_SET);
    return error ? error : mdb_cursor_del(cursor, 0);
}
