#ifndef PENSTOCK_CLMDB_SHIM_H
#define PENSTOCK_CLMDB_SHIM_H
#include <lmdb.h>
#endif
