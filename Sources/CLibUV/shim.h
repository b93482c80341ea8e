#ifndef PENSTOCK_CLIBUV_SHIM_H
#define PENSTOCK_CLIBUV_SHIM_H
#include <uv.h>
#endif
