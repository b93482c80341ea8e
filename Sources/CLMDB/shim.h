#ifndef PENSTOCK_CLMDB_SHIM_H
#define PENSTOCK_CLMDB_SHIM_H
#include <lmdb.h>
/* statfs(2): Swift's Glibc module lacks it. */
#include <sys/statfs.h>
#endif
