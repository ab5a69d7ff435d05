//go:build ignore

/* dynamic: the program of tiny.h, with an interpreter: /interp0, which execfuzz makes of pie. */
#include "tiny.h"
