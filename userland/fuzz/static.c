//go:build ignore

/* static: the program of tiny.h, for fixed addresses. */
#include "tiny.h"
