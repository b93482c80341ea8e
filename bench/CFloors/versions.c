#include <lmdb.h>
#include <uv.h>

#include "CFloors.h"

uint32_t floors_lmdb_version(void) {
    int major, minor, patch;
    mdb_version(&major, &minor, &patch);
    return (uint32_t)(major << 16 | minor << 8 | patch);
}

uint32_t floors_uv_version(void) { return uv_version(); }
