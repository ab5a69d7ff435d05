package linux

import "mult/kern/vm"

// Args are the arguments of a call, as the registers held them.
type Args [6]uint64

// The kinds of arguments of Linux's calls: an int is the lower half of its
// register.

func (a *Args) Int(i int) int      { return int(int32(a[i])) }
func (a *Args) Uint(i int) uint32  { return uint32(a[i]) }
func (a *Args) Long(i int) int64   { return int64(a[i]) }
func (a *Args) Size(i int) uint64  { return a[i] }
func (a *Args) Addr(i int) vm.Addr { return vm.Addr(a[i]) }
