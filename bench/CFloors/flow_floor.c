/* The floor of flows: one parent and its children, added, and completed through to the parent. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "store.h"

/* Flow n has the jobs n * (children + 1) + 1 ..., the parent first. */
struct flows {
    struct store store;
    uint64_t count;
    uint32_t children;
    uint64_t for_each_commit;
    unsigned char edge[EDGE_BYTES];
    unsigned char flow[FLOW_BYTES];
};

static uint64_t parent_of(const struct flows *flows, uint64_t flow) {
    return flow * ((uint64_t)flows->children + 1) + 1;
}

static int put_flow(struct flows *flows, uint64_t flow, unsigned flags) {
    unsigned char flow_key[8];
    encode_u64(flow_key, flow + 1);
    encode_u64(flows->flow, flow + 1);
    MDB_val key = {sizeof flow_key, flow_key}, value = {FLOW_BYTES, flows->flow};
    return store_put(&flows->store, FLOWS, &key, &value, flags);
}

static int put_edge(struct flows *flows, uint64_t parent, uint32_t position, unsigned flags) {
    unsigned char edge_key[EDGE_KEY_BYTES];
    encode_u64(edge_key, parent);
    encode_u32(edge_key + 8, position);
    encode_u64(flows->edge, parent + 1 + position); /* the dependency */
    MDB_val key = {sizeof edge_key, edge_key}, value = {EDGE_BYTES, flows->edge};
    return store_put(&flows->store, EDGES, &key, &value, flags);
}

static int add_flow(struct flows *flows, uint64_t flow) {
    uint64_t parent = parent_of(flows, flow);
    int error = job_append(&flows->store, parent);
    for (uint32_t position = 0; position < flows->children && !error; position++) {
        uint64_t child = parent + 1 + position;
        error = job_append(&flows->store, child);
        if (!error) error = job_make_ready(&flows->store, child);
        if (!error) error = put_edge(flows, parent, position, MDB_APPEND);
    }
    return error ? error : put_flow(flows, flow, MDB_APPEND);
}

static int complete_children(struct flows *flows, uint64_t flow) {
    uint64_t parent = parent_of(flows, flow);
    int error = 0;
    for (uint32_t position = 0; position < flows->children && !error; position++) {
        error = job_complete(&flows->store, parent + 1 + position);
        if (!error) error = put_edge(flows, parent, position, 0);
        if (!error) error = job_rewrite(&flows->store, parent);
        if (!error) error = put_flow(flows, flow, 0);
    }
    return error ? error : job_make_ready(&flows->store, parent);
}

static int complete_parent(struct flows *flows, uint64_t flow) {
    int error = job_complete(&flows->store, parent_of(flows, flow));
    return error ? error : put_flow(flows, flow, 0);
}

static uint64_t end_of_commit(const struct flows *flows, uint64_t first) {
    return flows->count - first < flows->for_each_commit ? flows->count : first + flows->for_each_commit;
}

static int add_all(struct flows *flows, uint64_t *commits) {
    for (uint64_t flow = 0; flow < flows->count;) {
        uint64_t end = end_of_commit(flows, flow);
        int error = store_begin(&flows->store);
        for (; flow < end && !error; flow++) error = add_flow(flows, flow);
        if (!error) error = store_commit(&flows->store);
        if (error) return error;
        ++*commits;
    }
    return 0;
}

/* The children of one run of flows and the parents of the run before share a commit; the last has parents alone. */
static int complete_all(struct flows *flows, uint64_t *commits) {
    for (uint64_t child_flow = 0, parent_flow = 0; parent_flow < flows->count;) {
        uint64_t released = child_flow, end = end_of_commit(flows, child_flow);
        int error = store_begin(&flows->store);
        for (; parent_flow < released && !error; parent_flow++) error = complete_parent(flows, parent_flow);
        for (; child_flow < end && !error; child_flow++) error = complete_children(flows, child_flow);
        if (!error) error = store_commit(&flows->store);
        if (error) return error;
        ++*commits;
    }
    return 0;
}

struct floors_flow_result floors_lmdb_flow(const char *dir, uint64_t count, uint32_t children, uint64_t batch,
                                           size_t payload_bytes, enum floors_style style) {
    struct floors_flow_result result = {.add.ops = count, .through.ops = count * ((uint64_t)children + 1)};
    struct flows flows = {.count = count, .children = children, .for_each_commit = batch / ((uint64_t)children + 1)};
    if (!flows.for_each_commit) flows.for_each_commit = 1;
    memset(flows.edge, 'e', EDGE_BYTES);
    memset(flows.flow, 'f', FLOW_BYTES);

    result.add.error = children ? store_open(&flows.store, dir, payload_bytes, style) : EINVAL;
    if (!result.add.error) {
        uint64_t start = clock_now();
        result.add.error = add_all(&flows, &result.add.commits);
        result.add.seconds = (double)(clock_now() - start) * 1e-9;
    }
    result.through.error = result.add.error;
    if (!result.through.error) {
        uint64_t start = clock_now();
        result.through.error = complete_all(&flows, &result.through.commits);
        result.through.seconds = (double)(clock_now() - start) * 1e-9;
    }
    store_close(&flows.store);
    return result;
}
