//go:build ignore

/* pie: the program of tiny.h, for any addresses, without an interpreter. */
#include "tiny.h"
